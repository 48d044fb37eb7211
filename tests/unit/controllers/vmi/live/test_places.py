from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import render
from solovirt.compile.configurators import controllers, ports
from solovirt.compile.context import Context
from solovirt.compile.layout import Slot
from solovirt.controllers.vmi.live import places
from solovirt.controllers.vmi.live.places import place_for
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.host.model.bindings import Pins
from solovirt.kit.errors import SolovirtError
from tests.unit.compile.helpers import context

RUNNING = (
    "{domain: {devices: {disks: [{name: root, disk: {bus: virtio}}]}},"
    " volumes: [{name: root, emptyDisk: {capacity: 1Gi}}]}"
)
MORE = (
    "{domain: {devices: {disks: [{name: root, disk: {bus: virtio}}, {name: more, disk: {bus: BUS}}]}},"
    " volumes: [{name: root, emptyDisk: {capacity: 1Gi}}, {name: more, emptyDisk: {capacity: 1Gi}}]}"
)


def record_of(ctx: Context) -> LaunchRecord:
    argv = ["qemu"]
    for option in (*ports.options(ctx), *controllers.options(ctx)):
        argv += [option.flag, *render.value(option)]
    return LaunchRecord("default", "vm", "", tuple(argv), pins=Pins(pci=ctx.layout.pins()))


RECORD = record_of(context(RUNNING))


def place(bus: str = "virtio", record: LaunchRecord = RECORD, occupied: dict[Slot, str] | None = None) -> str:
    return place_for(context(MORE.replace("BUS", bus)), record, "ua-more", occupied or {}).pin()


def pinned(**pins: str) -> LaunchRecord:
    known = {name.replace("_", "-"): pin for name, pin in pins.items()}
    return msgspec.structs.replace(RECORD, pins=Pins(pci={**RECORD.pins.pci, **known}))


def free_ports() -> list[int]:
    used = {pin for pin in RECORD.pins.pci.values()}
    total = sum('"pcie-root-port"' in word for word in RECORD.argv)
    return [number for number in range(1, total + 1) if f"pci.{number}" not in used]


def test_a_new_disk_gets_the_first_free_port_that_the_machine_has() -> None:
    assert place() == f"pci.{free_ports()[0]}"


def test_a_promised_place_is_kept_and_others_are_not_taken() -> None:
    first, second, third, *_ = free_ports()
    assert place(record=pinned(ua_more=f"pci.{third}")) == f"pci.{third}"
    assert place(record=pinned(ua_gone=f"pci.{first}")) == f"pci.{second}", "one on its way out"
    assert place(occupied={("pci", first): ""}) == f"pci.{second}", "somebody used QMP by hand"
    assert place(record=pinned(ua_more="scsi0.0/3")) == f"pci.{first}", "it was on another bus"


def test_a_scsi_disk_sits_on_the_controller() -> None:
    assert place("scsi") == "scsi0.0/0"
    assert place("scsi", pinned(ua_other="scsi0.0/0")) == "scsi0.0/1"


def test_the_machine_is_full() -> None:
    taken: dict[Slot, str] = {("pci", number): "x" for number in free_ports()}
    with pytest.raises(SolovirtError) as caught:
        place(occupied=taken)
    assert caught.value.reason == "NoFreeSlot"
    assert "bus scsi" in caught.value.hint and "restart" in caught.value.hint
    assert place("scsi", occupied=taken) == "scsi0.0/0"


def test_buses_that_take_nothing_while_the_guest_runs() -> None:
    with pytest.raises(SolovirtError, match="no slot for ua-more that takes devices"):
        place("sata")


def test_ports_without_hotplug_are_none() -> None:
    fixed = [number for number in range(1, 12) if f"pci.{number}" in RECORD.pins.pci.values()]
    assert fixed
    bare = msgspec.structs.replace(RECORD, pins=Pins())
    assert int(place(record=bare).removeprefix("pci.")) not in [
        number for number in fixed if RECORD.pins.pci.get("ua-root") != f"pci.{number}"
    ]


def test_the_names_of_transitional_devices() -> None:
    assert places._base("virtio-blk-pci-non-transitional") == "virtio-blk-pci"
    assert places._base("scsi-hd") == "scsi-hd"
