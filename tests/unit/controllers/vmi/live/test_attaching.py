from __future__ import annotations

from solovirt.controllers.vmi.live import attaching
from solovirt.host.model.bindings import DiskImage, VolumeBinding
from tests.unit.controllers.vmi.live.test_disks import FAST, SLOW, Bench, bench

__all__ = ["bench"]

IMAGE = DiskImage(path="/c2", format="qcow2", size=5)


async def test_a_unit_is_what_compile_describes(bench: Bench) -> None:
    await bench.look(SLOW)
    binding = VolumeBinding("slow", "dataVolume", IMAGE)
    place = attaching.places.place_for(attaching.places.context(bench.update), bench.record, "ua-slow", {})
    unit = await attaching.unit(bench.update, 0, binding, place)
    assert unit.device == "ua-slow"
    assert [arguments["node-name"] for _, arguments in unit.before] == ["slow-0-storage", "slow-0-format"]
    assert [arguments["node-name"] for _, arguments in unit.after] == ["slow-0-format", "slow-0-storage"]
    ((command, device),) = unit.plug
    assert command == "device_add"
    assert (device["driver"], device["lun"], device["drive"]) == ("scsi-hd", 0, "slow-0-format")


async def test_a_thread_that_the_machine_has_not(bench: Bench) -> None:
    """Threads are made at the start; a disk that comes later shares one of those."""
    await bench.look(FAST)
    bench.vmi.spec.domain.io_threads_policy = "auto"
    bench.vmi.spec.domain.devices.disks *= 3
    binding = VolumeBinding("fast", "persistentVolumeClaim", IMAGE)
    place = attaching.places.place_for(attaching.places.context(bench.update), bench.record, "ua-fast", {})
    unit = await attaching.unit(bench.update, 1, binding, place)
    assert unit.plug[0][1]["iothread"] == "iothread1"


async def test_files_of_volumes(bench: Bench) -> None:
    await bench.look(FAST)
    assert attaching.file_of(bench.update, bench.vmi.spec.volumes[0]) == "/claims/default/c1"
    assert attaching.top_node("fast") == "fast-0-format"
