"""virtio-mem and DIMMs of a real guest: by what it does itself, and again and again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.hypervisor import memorydevices, plugging
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.memorydevices import Dimm, Region
from solovirt.hypervisor.plugging import Unit
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.aio import poll
from tests.real.hypervisor.machines import Events, machine
from tests.support import tinyguest

pytestmark = pytest.mark.real

MIB = 1 << 20
BLOCK = 128 * MIB
ROUNDS = 50
OPTIONS = (
    *("-m", "256M,slots=4,maxmem=4G", "-object", "memory-backend-ram,id=ram,size=256M"),
    *("-numa", "node,nodeid=0,memdev=ram", "-object", "memory-backend-ram,id=more,size=1G,reserve=off"),
    *("-device", "virtio-mem-pci,id=grows,memdev=more,node=0,requested-size=0,block-size=2M"),
)


@pytest.fixture
async def instance(root: Path, hypervisor: Hypervisor, events: Events) -> AsyncIterator[Instance]:
    started = await hypervisor.launch(machine(root, extra=(*OPTIONS, *tinyguest.kernel(tinyguest.image()))))
    await events.wait_for("agent-connected", timeout=90)
    yield started


def dimm(size: int, number: int = 0) -> Unit:
    return Unit(
        device=f"dimm{number}",
        before=(("object-add", {"qom-type": "memory-backend-ram", "id": f"mem{number}", "size": size}),),
        plug=(("device_add", {"driver": "pc-dimm", "id": f"dimm{number}", "memdev": f"mem{number}"}),),
        after=(("object-del", {"id": f"mem{number}"}),),
    )


async def region_of(instance: Instance) -> Region:
    found = (await memorydevices.read(instance)).region
    assert found is not None
    return found


async def resize(instance: Instance, size: int) -> list[int]:
    steps: list[int] = []
    region = await region_of(instance)
    assert await memorydevices.resize(instance, region, size, patience=60, progress=steps.append) == size
    return steps


async def left(instance: Instance) -> object:
    process = f"/proc/{instance.pid}"
    threads = sorted(Path(entry.path, "comm").read_text() for entry in os.scandir(f"{process}/task"))
    return (
        await instance.qmp("qom-list", {"path": "/machine/peripheral"}),
        await instance.qmp("qom-list", {"path": "/objects"}),
        len(os.listdir(f"{process}/fd")),
        [name for name in threads if name != "worker\n"],
    )


async def test_a_guest_that_grows_and_shrinks(instance: Instance) -> None:
    memory = await memorydevices.read(instance)
    assert (memory.base, memory.plugged, memory.dimms) == (256 * MIB, 256 * MIB, ())
    region = await region_of(instance)
    assert (region.device, region.size, region.maximum, region.block) == ("grows", 0, 1 << 30, 2 * MIB)

    async def driven() -> bool:
        return await memorydevices.driven(instance, region.device) is True

    assert await poll(driven, 60)
    before = await memorydevices.blocks(instance)
    assert before is not None and (before.size, before.online) == (BLOCK, 256 * MIB)

    steps = await resize(instance, 300 * MIB)
    assert steps == sorted(steps) and steps[-1] == 300 * MIB
    grown = await memorydevices.read(instance)
    assert grown.plugged == 556 * MIB and grown.region is not None and grown.region.requested == 300 * MIB
    await wait_online(instance, before.online + 3 * BLOCK)
    await resize(instance, 0)

    assert await memorydevices.plug(instance, dimm(2 * BLOCK), timeout=60)
    (plugged,) = (await memorydevices.read(instance)).dimms
    assert (plugged.device, plugged.size, plugged.slot, plugged.backend) == ("dimm0", 2 * BLOCK, 0, "mem0")
    await offline(instance, plugged)
    await plugging.unplug(instance, "dimm0", dimm(0).after)
    assert (await memorydevices.read(instance)).plugged == 256 * MIB

    untouched = await left(instance)
    for _ in range(ROUNDS):
        await resize(instance, BLOCK)
        await resize(instance, 0)
        assert await memorydevices.plug(instance, dimm(BLOCK), timeout=60)
        await plugging.unplug(instance, "dimm0", dimm(0).after)

    async def same() -> bool:
        return await left(instance) == untouched

    assert await poll(same, 30), (await left(instance), untouched)
    await wait_online(instance, before.online)


async def wait_online(instance: Instance, size: int) -> None:
    async def enough() -> bool:
        found = await memorydevices.blocks(instance)
        return found is not None and found.online == size

    assert await poll(enough, 60)


async def offline(instance: Instance, dimm: Dimm) -> None:
    """By the agent, which numbers blocks by their addresses."""
    first = dimm.address // BLOCK
    numbers = list(range(first, first + dimm.size // BLOCK))
    await memorydevices.set_online(instance, numbers, online=False)
    found = await memorydevices.blocks(instance)
    assert found is not None
    assert [block.online for block in found.blocks if block.number in numbers] == [False] * len(numbers)
