"""virtio-mem and DIMMs of a QEMU whose guest answers as a test says."""

from __future__ import annotations

import asyncio

import pytest

from solovirt.hypervisor import memorydevices
from solovirt.hypervisor.memorydevices import Block, Dimm, Region
from solovirt.hypervisor.plugging import Unit
from solovirt.kit.errors import GuestError
from tests.support.resizable import BLOCK, MIB, Machine

UNIT = Unit(
    device="dimm0",
    before=(("object-add", {"id": "memdimm0", "size": 256 * MIB}),),
    plug=(("device_add", {"driver": "pc-dimm", "id": "dimm0", "memdev": "memdimm0"}),),
    after=(("object-del", {"id": "memdimm0"}),),
)


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    made.has_region()
    return made


def region(machine: Machine) -> Region:
    assert machine.region is not None
    return machine.region


async def test_what_there_is(machine: Machine) -> None:
    machine.has_region(512 * MIB)
    machine.has_dimm(0, 256 * MIB)
    found = await memorydevices.read(machine.instance)
    assert found.base == 1024 * MIB
    assert found.region == Region("virtiomem0", 512 * MIB, 512 * MIB, 3072 * MIB, 2 * MIB)
    assert found.dimms == (Dimm("dimm0", 256 * MIB, 0, "memdimm0", 4096 * MIB),)
    assert found.plugged == (1024 + 512 + 256) * MIB
    assert (await memorydevices.read(Machine().instance)).plugged == 1024 * MIB


async def test_virtio_mem_grows_by_whole_blocks(machine: Machine) -> None:
    found = await memorydevices.read(machine.instance)
    assert [found.rounded(size * MIB) // MIB for size in (512, 1023, 1024, 1025, 1026)] == [512, 1023, 1024, 1026, 1026]
    assert (await memorydevices.read(Machine().instance)).rounded(1025 * MIB) == 1025 * MIB, "no device, no blocks"


@pytest.mark.parametrize("told", [True, False, None])
async def test_whether_the_guest_has_a_driver(machine: Machine, told: bool | None) -> None:
    machine.driver = told
    assert await memorydevices.driven(machine.instance, region(machine).device) is told


async def resize(machine: Machine, size: int, patience: float = 0.03) -> tuple[int, list[int]]:
    seen: list[int] = []
    reached = await memorydevices.resize(
        machine.instance, region(machine), size, patience=patience, progress=seen.append
    )
    return reached, seen


async def test_it_grows_and_shrinks(machine: Machine) -> None:
    assert (await resize(machine, 512 * MIB))[0] == 512 * MIB
    assert (await resize(machine, 0))[0] == 0
    assert machine.sent == ["qom-set 512", "qom-set 0"]


async def test_progress_is_told_and_gives_new_patience(machine: Machine) -> None:
    machine.reach = lambda size: 0

    async def guest() -> None:
        for size in (128, 256, 384, 512):
            await asyncio.sleep(0.2)
            machine.region = Region("virtiomem0", size * MIB, 512 * MIB, 3072 * MIB, 2 * MIB)

    work = asyncio.create_task(guest())
    reached, seen = await resize(machine, 512 * MIB, patience=0.6)
    await work
    assert reached == 512 * MIB
    assert seen[-1] == 512 * MIB and seen == sorted(set(seen))


async def test_a_guest_that_stops_half_way(machine: Machine) -> None:
    machine.reach = lambda size: size // 2
    assert await resize(machine, 512 * MIB) == (256 * MIB, [256 * MIB])


async def test_qemu_refuses(machine: Machine) -> None:
    with pytest.raises(GuestError, match="multiples"):
        await resize(machine, MIB)


async def test_a_dimm_is_taken(machine: Machine) -> None:
    assert await memorydevices.plug(machine.instance, UNIT, timeout=60)
    assert machine.sent == ["object-add memdimm0", "device_add dimm0"]


@pytest.mark.parametrize("status", [None, 0x80])
async def test_a_guest_that_says_nothing_or_not_yet_keeps_it(machine: Machine, status: int | None) -> None:
    machine.taking = lambda device: status
    assert not await memorydevices.plug(machine.instance, UNIT, timeout=0.3)
    assert set(machine.dimms) == {"dimm0"}


async def test_one_that_the_guest_refuses_goes_with_its_backend(machine: Machine) -> None:
    machine.taking = lambda device: 0x82
    with pytest.raises(GuestError, match="did not take dimm0: its system does not support it") as caught:
        await memorydevices.plug(machine.instance, UNIT, timeout=60)
    assert caught.value.reason == "UnplugRefused"
    assert not machine.dimms and not machine.objects


async def test_one_that_it_neither_takes_nor_lets_go(machine: Machine) -> None:
    machine.taking = lambda device: 1
    machine.giving = lambda device: None
    with pytest.raises(GuestError, match=r"did not take dimm0.*; and the guest did not let dimm0 go"):
        await memorydevices.plug(machine.instance, UNIT, timeout=0.3)
    assert set(machine.dimms) == {"dimm0"} and set(machine.objects) == {"memdimm0"}


async def test_a_device_that_qemu_refuses_leaves_no_backend(machine: Machine) -> None:
    machine.refuse = {"device_add dimm0": GuestError("a used vhost backend has no free memory slots left")}
    with pytest.raises(GuestError, match="no free memory slots"):
        await memorydevices.plug(machine.instance, UNIT, timeout=60)
    assert not machine.objects


async def test_a_lost_monitor_leaves_it_there(machine: Machine) -> None:
    def taking(device: str) -> None:
        machine.happenings.lost()

    machine.taking = taking
    assert not await memorydevices.plug(machine.instance, UNIT, timeout=60)


async def test_blocks_as_the_guest_counts_them(machine: Machine) -> None:
    machine.agent.blocks = {0: True, 32: False}
    found = await memorydevices.blocks(machine.instance)
    assert found is not None
    assert (found.size, found.online) == (BLOCK, BLOCK)
    assert found.blocks == (Block(0, True, True), Block(32, False, True))
    await memorydevices.set_online(machine.instance, [32], online=True)
    assert all(machine.agent.blocks.values())


async def test_a_guest_that_cannot_be_asked(machine: Machine) -> None:
    machine.agent.refuse = dict.fromkeys(("guest-get-memory-blocks", "guest-set-memory-blocks"), GuestError("no"))
    assert await memorydevices.blocks(machine.instance) is None
    await memorydevices.set_online(machine.instance, [0], online=False)
    assert machine.agent.blocks[0]
    machine.agent.connected = False
    assert await memorydevices.blocks(machine.instance) is None
