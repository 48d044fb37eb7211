"""Disks as the guest sees them."""

from __future__ import annotations

import pytest

from solovirt.compile import drives, render
from solovirt.compile.configurators import disks
from solovirt.compile.layout import Place
from solovirt.compile.reasons import default
from solovirt.kit.errors import Invalid
from solovirt.kit.json import JsonObject
from tests.unit.compile.helpers import context, objects, run

TEXT = """
domain:
  cpu: {{cores: 3}}
  devices:
    disks: [{{name: a, {disk}}}]
    blockMultiQueue: {queues}
volumes: [{{name: a, emptyDisk: {{capacity: 1Gi}}}}]
"""


def shown(disk: str, queues: str = "false") -> JsonObject:
    (device,) = objects(disks.options(context(TEXT.format(disk=disk, queues=queues))))
    return device


@pytest.mark.parametrize(
    ("disk", "driver", "place"),
    [
        ("disk: {bus: virtio}", "virtio-blk-pci-non-transitional", {"bus": "pci.3", "addr": "0x0"}),
        ("disk: {bus: sata}", "ide-hd", {"bus": "ide.0"}),
        ("disk: {}", "ide-hd", {"bus": "ide.0"}),
        ("disk: {bus: scsi}", "scsi-hd", {"bus": "scsi0.0", "channel": 0, "scsi-id": 0, "lun": 0}),
        ("disk: {bus: usb}", "usb-storage", {"bus": "usb.0", "port": "1"}),
        ("cdrom: {bus: sata}", "ide-cd", {"bus": "ide.0"}),
        ("cdrom: {bus: scsi}", "scsi-cd", {"bus": "scsi0.0", "channel": 0, "scsi-id": 0, "lun": 0}),
    ],
)
def test_buses(disk: str, driver: str, place: JsonObject) -> None:
    assert shown(disk) == {
        "driver": driver, **place, "drive": "a-0-format", "id": "ua-a", "bootindex": 1, "write-cache": "on",
        "werror": "stop", "rerror": "stop",
    }  # fmt: skip


def test_serial_and_queues() -> None:
    found = shown('disk: {bus: virtio}, serial: "a,b"', "true")
    assert (found["serial"], found["num-queues"]) == ("a,b", 3)
    assert "num-queues" not in shown("disk: {bus: scsi}", "true")


def test_write_cache() -> None:
    assert shown("disk: {bus: virtio}, cache: writethrough")["write-cache"] == "off"
    assert shown("disk: {bus: virtio}, cache: writeback")["write-cache"] == "on"


def test_tray() -> None:
    assert "drive" not in shown("cdrom: {bus: sata, tray: open}")
    assert shown("cdrom: {bus: sata, tray: closed}")["drive"] == "a-0-format"
    with pytest.raises(Invalid, match='tray "ajar" is unknown'):
        shown("cdrom: {bus: sata, tray: ajar}")


def test_nodes_come_before_the_device() -> None:
    text = TEXT.format(disk="disk: {bus: virtio}", queues="false")
    assert [line.split()[0] for line in run(disks.options, text)] == ["-blockdev", "-blockdev", "-device"]


def test_a_volume_that_no_disk_uses() -> None:
    with pytest.raises(Invalid) as caught:
        run(disks.options, "volumes: [{name: a, emptyDisk: {capacity: 1Gi}}]")
    assert caught.value.causes[0].field == "volumes[0].name"


def test_one_description_for_command_line_and_hotplug() -> None:
    ctx = context(TEXT.format(disk="disk: {bus: scsi}", queues="false"))
    drive = drives.resolve(ctx, 0)
    described = render.arguments(disks.device(ctx, drive, Place("scsi0.0", 7, default("free"))))
    assert (described["driver"], described["lun"]) == ("scsi-hd", 7)
    assert described["drive"] == render.arguments(disks.nodes(drive)[-1])["node-name"]


def test_buses_and_endpoints() -> None:
    ctx = context("domain: {devices: {disks: [{name: a, disk: {bus: virtio, pciAddress: '0000:09:00.0'}}]}}")
    assert disks.buses(ctx) == ["virtio"]
    assert [endpoint.address for endpoint in disks.endpoints(ctx)] == ["0000:09:00.0"]
