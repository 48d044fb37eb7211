from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json
from solovirt.translate import domain
from tests.unit.translate.helpers import at, lost
from tests.unit.translate.test_domain import of

D = "domain.devices"


def test_a_disk_with_everything() -> None:
    text = """<disk type='block' device='disk'><driver name='qemu' type='raw' cache='none' io='native'
    error_policy='report'/><source dev='/dev/vg/x'/><target dev='vda' bus='virtio'/><serial>S</serial><shareable/>
    <boot order='1'/><alias name='ua-root'/><blockio logical_block_size='4096' physical_block_size='4096'/>
    <address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/></disk>"""
    draft = domain.read(of("", text))
    assert at(draft, f"{D}.disks.0") == {
        "name": "root",
        "disk": {"bus": "virtio", "pciAddress": "0000:07:00.0"},
        "bootOrder": 1,
        "serial": "S",
        "shareable": True,
        "cache": "none",
        "io": "native",
        "errorPolicy": "report",
        "blockSize": {"custom": {"logical": 4096, "physical": 4096}},
    }
    assert at(draft, "volumes.0.hostDisk.path") == "/dev/vg/x"
    assert lost(draft) == []


@pytest.mark.parametrize(
    ("devices", "path", "value"),
    [
        ("<disk device='cdrom'><target bus='ide'/></disk>", f"{D}.disks.0.cdrom.bus", "sata"),
        (
            "<disk type='file'><driver type='qcow2'/><source file='/a.qcow2'/><target bus='scsi'/><readonly/></disk>",
            f"{D}.disks.0.disk",
            {"bus": "scsi", "readonly": True},
        ),
        ("<interface type='user'><mac address='m'/></interface>", f"{D}.interfaces.0.macAddress", "m"),
        (
            "<interface type='network'><source network='default'/><model type='e1000e'/></interface>",
            "networks",
            [{"name": "default", "pod": {}}],
        ),
        ("<interface type='user'><link state='down'/></interface>", f"{D}.interfaces.0.state", "down"),
        ("<input type='tablet' bus='usb'/>", f"{D}.inputs.0", {"name": "tablet", "type": "tablet", "bus": "usb"}),
        ("<tpm><backend type='emulator'/></tpm>", f"{D}.tpm.persistent", True),
        ("<video><model type='bochs'/></video>", f"{D}.video.type", "bochs"),
        ("<sound model='ich9'/>", f"{D}.sound.model", "ich9"),
        ("<rng model='virtio'/>", f"{D}.rng", {}),
        ("<watchdog model='i6300esb' action='poweroff'/>", f"{D}.watchdog.i6300esb.action", "poweroff"),
        ("<panic model='pvpanic'/>", f"{D}.panicDevices.0.model", "pvpanic"),
        ("<vsock/>", f"{D}.autoattachVSOCK", True),
        ("<redirdev/>", f"{D}.clientPassthrough", {}),
        ("<memballoon model='none'/>", f"{D}.autoattachMemBalloon", False),
        ("", f"{D}.autoattachSerialConsole", False),
        ("<graphics type='vnc'/>", f"{D}.autoattachGraphicsDevice", None),
        ("<channel><target name='org.qemu.guest_agent.0'/></channel>", f"{D}.downwardMetrics", None),
    ],
)
def test_an_element_becomes_its_field(devices: str, path: str, value: Json) -> None:
    draft = domain.read(of("", devices))
    assert at(draft, path) == value
    assert lost(draft) == []


@pytest.mark.parametrize(
    "devices",
    [
        "<disk device='floppy'/>",
        "<disk type='network'><target bus='virtio'/></disk>",
        "<disk device='cdrom'><target bus='xen'/></disk>",
        "<disk device='cdrom'><driver cache='unsafe'/><target bus='sata'/></disk>",
        "<disk device='cdrom'><target bus='sata'/><iotune/></disk>",
        "<interface type='bridge'><source bridge='br0'/></interface>",
        "<interface type='user'><model type='vmxnet3'/></interface>",
        "<serial><target port='1'/></serial>",
        "<channel><target name='x'/></channel>",
        "<input type='mouse' bus='usb'/>",
        "<graphics type='spice'/>",
        "<video><model type='qxl'/></video>",
        "<sound model='usb'/>",
        "<watchdog model='itco' action='reset'/>",
        "<filesystem><driver type='virtiofs'/><target dir='x'/></filesystem>",
        "<hostdev type='pci'/>",
        "<memory model='dimm'/>",
        "<smartcard/>",
        "<tpm><backend type='passthrough'/></tpm>",
    ],
)
def test_what_has_no_field_is_told(devices: str) -> None:
    assert len(lost(domain.read(of("", devices)))) == 1
