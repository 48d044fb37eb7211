"""Disks as the guest sees them."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import drives, render
from solovirt.compile.configurators import disks
from solovirt.compile.context import Context
from solovirt.compile.layout import Place
from solovirt.compile.reasons import default
from solovirt.host.model.bindings import DiskImage
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.json import JsonObject
from tests.golden.cases import host_facts
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
        ("lun: {}", "scsi-hd", {"bus": "scsi0.0", "channel": 0, "scsi-id": 0, "lun": 0}),
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


def test_a_usb_cdrom_sits_on_an_adapter() -> None:
    text = TEXT.format(disk="cdrom: {bus: usb}", queues="false")
    below, drive = objects(disks.options(context(text)))
    assert below == {"driver": "usb-bot", "bus": "usb.0", "port": "1", "id": "ua-a-usb"}
    assert (drive["driver"], drive["bus"]) == ("scsi-cd", "ua-a-usb.0")
    assert "port" not in drive, "the port is the adapter's"
    ctx = context(text)
    place = Place("usb.0", 1, default("free"))
    assert disks.adapter(drives.resolve(ctx, 0), place) is not None
    plain = context(TEXT.format(disk="disk: {bus: usb}", queues="false"))
    assert disks.adapter(drives.resolve(plain, 0), place) is None, "a USB disk needs none"


def test_an_empty_drive() -> None:
    (device,) = objects(disks.options(context("domain: {devices: {disks: [{name: a, cdrom: {bus: scsi}}]}}")))
    assert device["driver"] == "scsi-cd" and "drive" not in device
    assert run(disks.options, "domain: {devices: {disks: [{name: a, cdrom: {bus: scsi}}]}}")[0].startswith("-device")


LUNS = """
domain: {devices: {disks: [
  {name: plain, lun: {bus: scsi}}, {name: a, lun: {bus: scsi, reservation: true}},
  {name: b, lun: {bus: scsi, reservation: true}}]}}
volumes: [{name: plain, hostDisk: {path: /dev/sdc, type: Disk}}, {name: a, hostDisk: {path: /dev/sda, type: Disk}},
  {name: b, hostDisk: {path: /dev/sdb, type: Disk}}]
"""


def luns(*, helper: bool = True, socket: str = "/run/qemu-pr-helper.sock") -> Context:
    facts = host_facts()
    helpers = {**facts.helpers, "qemu-pr-helper": "/usr/bin/qemu-pr-helper"}
    if not helper:
        del helpers["qemu-pr-helper"]
    images = {
        name: DiskImage(path=f"/dev/sd{letter}", format="raw", block_device=True, direct_io=True)
        for name, letter in (("plain", "c"), ("a", "a"), ("b", "b"))
    }
    ctx = context(LUNS, facts=msgspec.structs.replace(facts, helpers=helpers), volumes=images)
    sockets = msgspec.structs.replace(ctx.bindings.sockets, reservations=socket)
    bindings = msgspec.structs.replace(ctx.bindings, sockets=sockets)
    return Context(ctx.spec, ctx.facts, bindings, ctx.layout)


def test_reservations_go_through_one_helper() -> None:
    ctx = luns()
    made = list(disks.reservations(ctx))
    assert objects(made, "-object") == [
        {"qom-type": "pr-manager-helper", "id": "pr-helper0", "path": "/run/qemu-pr-helper.sock"}
    ]
    assert made[0].why.path == "domain.devices.disks[1].lun.reservation"
    storage = [node for node in objects(disks.options(ctx), "-blockdev") if node["driver"] == "host_device"]
    assert [node.get("pr-manager") for node in storage] == [None, "pr-helper0", "pr-helper0"]
    assert list(disks.reservations(context(TEXT.format(disk="disk: {}", queues="false")))) == []


@pytest.mark.parametrize(("helper", "socket"), [(False, "/run/qemu-pr-helper.sock"), (True, "")])
def test_reservations_without_the_helper(helper: bool, socket: str) -> None:
    with pytest.raises(HostError, match="qemu-pr-helper, which is not here") as caught:
        list(disks.reservations(luns(helper=helper, socket=socket)))
    assert (caught.value.reason, caught.value.field) == ("MissingTool", "domain.devices.disks[1].lun.reservation")
    assert "systemctl start qemu-pr-helper.socket" in caught.value.hint


@pytest.mark.parametrize(
    ("written", "fixed"), [("", False), ("disableHotplug: false,", False), ("disableHotplug: true,", True)]
)
def test_disks_that_are_never_unplugged(written: str, fixed: bool) -> None:
    text = f"domain: {{devices: {{{written} disks: [{{name: a, disk: {{bus: virtio}}}}, {{name: b, disk: {{}}}}]}}}}"
    assert [endpoint.fixed for endpoint in disks.endpoints(context(text))] == [fixed, fixed]
