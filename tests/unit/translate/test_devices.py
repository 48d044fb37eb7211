from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json
from solovirt.translate import argv
from tests.unit.translate.helpers import at, lost

D = "domain.devices"


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("-device usb-tablet,id=ua-t", f"{D}.inputs", [{"name": "t", "type": "tablet", "bus": "usb"}]),
        ("-device virtio-tablet-pci", f"{D}.inputs.0.bus", "virtio"),
        ("-usbdevice tablet", f"{D}.inputs.0.bus", "usb"),
        ("-object rng-random,id=r,filename=/dev/urandom -device virtio-rng-pci,rng=r", f"{D}.rng", {}),
        ("-device i6300esb,id=ua-dog -watchdog-action poweroff",
         f"{D}.watchdog", {"name": "dog", "i6300esb": {"action": "poweroff"}}),
        ("-device i6300esb -action watchdog=shutdown", f"{D}.watchdog.i6300esb.action", "shutdown"),
        ("-chardev socket,id=c,path=/t -tpmdev emulator,id=t,chardev=c -device tpm-tis,tpmdev=t", f"{D}.tpm", {}),
        ("-chardev socket,id=c,path=/t -tpmdev emulator,id=t,chardev=c -device tpm-crb,tpmdev=t",
         f"{D}.tpm.persistent", True),
        ("-device ich9-intel-hda -device hda-duplex", f"{D}.sound.model", "ich9"),
        ("-device AC97,id=ua-s", f"{D}.sound", {"name": "s", "model": "ac97"}),
        ("-device pvpanic", f"{D}.panicDevices.0.model", "isa"),
        ("-device pvpanic-pci", f"{D}.panicDevices.0.model", "pvpanic"),
        ("-device vhost-vsock-pci,guest-cid=7", f"{D}.autoattachVSOCK", True),
        ("-chardev socket,id=r,path=/r -device usb-redir,chardev=r", f"{D}.clientPassthrough", {}),
        ("-device virtio-vga", f"{D}.video.type", "virtio"),
        ("-vga cirrus", f"{D}.video.type", "cirrus"),
        ("-chardev socket,id=m,path=/m -device virtserialport,chardev=m,name=org.github.vhostmd.1",
         f"{D}.downwardMetrics", {}),
        ("-nic none", f"{D}.autoattachPodInterface", False),
        ("-nodefaults", f"{D}.autoattachGraphicsDevice", False),
        ("-nodefaults", f"{D}.autoattachSerialConsole", False),
        ("-m 1G", f"{D}.autoattachMemBalloon", False),
        ("-nic user,model=e1000,mac=02:00:00:00:00:09", f"{D}.interfaces.0.macAddress", "02:00:00:00:00:09"),
        ("-net nic,model=rtl8139 -net user", f"{D}.interfaces.0.model", "rtl8139"),
        ("-netdev user,id=n -device e1000e,netdev=n,bus=pci.3,addr=0x0,acpi-index=4",
         f"{D}.interfaces.0.pciAddress", "0000:03:00.0"),
        ("-netdev user,id=n -device virtio-net-pci,netdev=n,mq=on", f"{D}.networkInterfaceMultiqueue", True),
        ("-netdev user,id=n,net=10.9.0.0/16 -device igb,netdev=n", "networks.0.pod.vmNetworkCIDR", "10.9.0.0/16"),
        ("-object memory-backend-memfd,id=m,hugetlb=on,hugetlbsize=1G,size=4G",
         "domain.memory.hugepages.pageSize", "1Gi"),
        ("-object sev-guest,id=s,policy=1", "domain.launchSecurity", {"sev": {}}),
    ],
)  # fmt: skip
def test_a_device_becomes_its_field(words: str, path: str, value: Json) -> None:
    draft = argv.read(["qemu-system-x86_64", *words.split()])
    assert at(draft, path) == value
    assert lost(draft) == []


def test_the_second_network_is_an_attachment() -> None:
    words = "-netdev user,id=a,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=a"
    words += " -netdev tap,id=b,br=br0 -device virtio-net-pci,netdev=b"
    draft = argv.read(words.split())
    assert at(draft, "networks") == [{"name": "a", "pod": {}}, {"name": "b", "multus": {"networkName": "br0"}}]
    assert at(draft, f"{D}.interfaces.0.ports") == [{"port": 22, "protocol": "TCP"}]
    assert len(lost(draft)) == 2


@pytest.mark.parametrize(
    "words",
    [
        "-device edu", "-vga qxl", "-spice port=1", "-usbdevice mouse", "-device isa-serial,index=1",
        "-device virtconsole", "-device vfio-pci,host=01:00.0", "-device vhost-user-fs-pci,tag=x",
        "-device virtio-mem-pci,requested-size=1G", "-vnc :1,password=on", "-device i6300esb -watchdog-action pause",
        "-netdev user,id=alone", "-object throttle-group,id=t", "-numa node,nodeid=1", "-acpitable file=x",
        "-tpmdev passthrough,id=p -device tpm-tis,tpmdev=p",
    ],
)  # fmt: skip
def test_what_has_no_field_is_told(words: str) -> None:
    assert len(lost(argv.read(words.split()))) == 1
