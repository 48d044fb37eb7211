"""DIMMs of a machine whose guest takes and gives them as a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from solovirt.controllers.vmi.live import dimms
from solovirt.hypervisor import memorydevices
from solovirt.hypervisor.memorydevices import Dimm
from solovirt.kit.errors import GuestError
from tests.support.resizable import BLOCK, MIB, Machine
from tests.unit.controllers.lab import Lab
from tests.unit.controllers.vmi.live.sizing import Desk, desk

Open = Callable[[Machine], Awaitable[Desk]]
FIRST = 4096 * MIB // BLOCK
"""The number of the first block of the first DIMM."""


@pytest.fixture
def at(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Open:
    return lambda machine: desk(lab, machine, monkeypatch)


async def the_dimm(machine: Machine) -> Dimm:
    (found,) = (await memorydevices.read(machine.instance)).dimms
    return found


async def test_machines_with_headroom_have_slots(at: Open) -> None:
    assert dimms.taken((await at(Machine())).update)


async def test_machines_without_have_none(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await desk(lab, Machine(), monkeypatch, most="1Gi")
    assert not dimms.taken(one.update)


async def test_names_and_backends(at: Open) -> None:
    machine = Machine()
    machine.has_dimm(1, 128 * MIB)
    one = await at(machine)
    assert [await dimms.plug(one.update, 256 * MIB) for _ in range(2)] == ["dimm0", "dimm2"]
    assert machine.objects["memdimm0"]["size"] == 256 * MIB
    assert machine.objects["memdimm0"]["qom-type"] == "memory-backend-ram"
    assert machine.dimms["dimm2"]["memdev"] == "/objects/memdimm2"


async def test_a_lazy_guest_is_helped_to_use_it(at: Open) -> None:
    machine = Machine()
    machine.agent.lazy = True
    machine.agent.blocks[1] = False
    await dimms.plug((await at(machine)).update, 256 * MIB)
    await dimms.settle(machine.instance, 0.01)
    assert machine.agent.blocks[FIRST] and machine.agent.blocks[FIRST + 1]
    assert not machine.agent.blocks[1], "what it was started with is its own affair"
    assert "guest-set-memory-blocks" in machine.agent.sent


async def test_a_guest_without_an_agent_is_believed(at: Open) -> None:
    machine = Machine()
    machine.agent.connected = False
    assert await dimms.plug((await at(machine)).update, 256 * MIB) == "dimm0"
    await dimms.settle(machine.instance, 0.01)
    assert not machine.agent.sent


async def test_a_refused_one_leaves_nothing(at: Open) -> None:
    machine = Machine()
    machine.taking = lambda device: 0x81
    with pytest.raises(GuestError, match="could not load a driver"):
        await dimms.plug((await at(machine)).update, 256 * MIB)
    assert not machine.dimms and not machine.objects


async def test_it_goes_with_its_backend(at: Open) -> None:
    machine = Machine()
    one = await at(machine)
    await dimms.plug(one.update, 256 * MIB)
    await dimms.remove(machine.instance, await the_dimm(machine))
    assert not machine.dimms and not machine.objects


async def test_a_guest_that_lets_only_idle_ones_go_is_helped(at: Open) -> None:
    machine = Machine()
    one = await at(machine)
    await dimms.plug(one.update, 256 * MIB)
    blocks = machine.agent.blocks
    machine.giving = lambda device: 0x83 if blocks[FIRST] or blocks[FIRST + 1] else 0
    await dimms.remove(machine.instance, await the_dimm(machine))
    assert not machine.dimms and not machine.objects
    assert all(blocks.values()), "only its own blocks went off line"


async def test_help_that_does_not_help_is_undone(at: Open) -> None:
    machine = Machine()
    one = await at(machine)
    await dimms.plug(one.update, 256 * MIB)
    machine.giving = lambda device: 0x83
    with pytest.raises(GuestError, match="the device is busy") as caught:
        await dimms.remove(machine.instance, await the_dimm(machine))
    assert caught.value.reason == "UnplugRefused"
    assert machine.agent.blocks[FIRST] and machine.agent.blocks[FIRST + 1]
    assert set(machine.dimms) == {"dimm0"} and set(machine.objects) == {"memdimm0"}


async def test_a_guest_that_does_not_answer_keeps_it(at: Open) -> None:
    machine = Machine()
    one = await at(machine)
    await dimms.plug(one.update, 256 * MIB)
    machine.giving = lambda device: None
    with pytest.raises(GuestError) as caught:
        await dimms.remove(machine.instance, await the_dimm(machine))
    assert caught.value.reason == "UnplugTimeout"
    assert "guest-set-memory-blocks" not in machine.agent.sent
    assert set(machine.objects) == {"memdimm0"}


async def test_only_backends_without_their_dimms_are_swept() -> None:
    machine = Machine()
    machine.has_dimm(0, 128 * MIB)
    machine.objects |= {"memdimm1": {}, "memvirtiomem0": {}}
    await dimms.sweep(machine.instance)
    assert machine.sent == ["object-del memdimm1"]
    assert set(machine.objects) == {"memdimm0", "memvirtiomem0"}
