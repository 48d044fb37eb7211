"""Memory of a machine that follows the spec, or does not, and what is told of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from solovirt.api.kubevirt.spec.compute import LaunchSecurity
from solovirt.api.kubevirt.virtualmachineinstance import MemoryStatus
from solovirt.controllers.vmi.live import memory
from solovirt.hypervisor.memorydevices import Region
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, Unavailable
from tests.support.resizable import MIB, Machine
from tests.unit.controllers.lab import Lab
from tests.unit.controllers.vmi.live.sizing import Desk, desk, only

Open = Callable[[Machine], Awaitable[Desk]]


@pytest.fixture
def at(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Open:
    return lambda machine: desk(lab, machine, monkeypatch)


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    made.has_region()
    return made


def status(current: str, requested: str) -> MemoryStatus:
    return MemoryStatus(guest_at_boot="1Gi", guest_current=current, guest_requested=requested)


def region(machine: Machine) -> tuple[int, int]:
    """Size and requested size, in MiB."""
    assert machine.region is not None
    return machine.region.size // MIB, machine.region.requested // MIB


async def test_virtio_mem_grows_and_shrinks(at: Open, machine: Machine) -> None:
    one = await at(machine)
    report = await one.memory("2Gi")
    assert not report.conditions and report.memory == status("2Gi", "2Gi")
    assert only(one.told[0]).message == "1Gi become 2Gi"
    assert (only(one.told[0]).type, only(one.told[0]).reason) == ("HotMemoryChange", "InProgress")
    report = await one.memory("1280Mi")
    assert report.memory == status("1280Mi", "1280Mi")
    assert machine.sent == ["qom-set 1024", "qom-set 256"] and not machine.dimms
    assert await one.events() == [
        ("MemoryPlugged", "The guest has 2Gi of memory now"),
        ("MemoryUnplugged", "The guest has 1280Mi of memory now"),
    ]


async def test_little_is_asked_and_all_of_it_at_once(at: Open, machine: Machine) -> None:
    """Every command takes QEMU's big lock, and may wait milliseconds for it: more of them are a slower plug."""
    one = await at(machine)
    waits = asyncio.Event()
    machine.holds = waits
    work = asyncio.create_task(one.memory("2Gi"))
    for _ in range(10):
        await asyncio.sleep(0)
    state = ["query-memory-devices", "query-memory-size-summary"]
    assert sorted(machine.asked) == [*state, "x-query-virtio-status"], "none of them waits for another's answer"
    waits.set()
    await work
    assert machine.asked[3:5] == ["qom-set", "qom-get"]
    assert sorted(machine.asked[5:]) == sorted([*state, "qom-list"])


async def test_it_is_shown_that_it_began_when_the_guest_was_asked(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: 0
    one = await at(machine)
    work = asyncio.create_task(one.memory("2Gi"))
    while not machine.sent:
        assert not one.told
        await asyncio.sleep(0)
    while not one.told:
        await asyncio.sleep(0)
    assert (only(one.told[0]).status, only(one.told[0]).reason) == ("True", "InProgress")
    await work


async def test_progress_is_not_shown_all_the_time(at: Open, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.reach = lambda size: 0
    one = await at(machine)
    monkeypatch.setattr(memory, "PATIENCE", 30.0)
    work = asyncio.create_task(one.memory("2Gi"))

    async def guest() -> None:
        while not machine.sent:
            await asyncio.sleep(0)
        for size in range(64, 1025, 64):
            await asyncio.sleep(0.02)
            machine.region = Region("virtiomem0", size * MIB, 1024 * MIB, 3072 * MIB, 2 * MIB)

    began = time.monotonic()
    await asyncio.gather(work, guest())
    assert len(one.told) <= 2 + (time.monotonic() - began) / memory.PROGRESS
    assert region(machine) == (1024, 1024)


async def test_what_an_earlier_daemon_left_is_not_in_the_way_of_a_dimm(at: Open, machine: Machine) -> None:
    machine.driver = False
    machine.objects |= {"memdimm0": {}, "memdimm5": {}}
    report = await (await at(machine)).memory("1280Mi")
    assert not report.conditions and set(machine.dimms) == {"dimm0"}
    assert set(machine.objects) == {"memdimm0"}


async def test_what_an_earlier_daemon_left_goes_where_nothing_is_to_be_done(at: Open, machine: Machine) -> None:
    machine.objects |= {"memdimm0": {}}
    await (await at(machine)).memory("1Gi")
    assert not machine.objects


async def test_what_is_right_is_left_alone(at: Open, machine: Machine) -> None:
    one = await at(machine)
    assert (await one.memory("1Gi")).memory == status("1Gi", "1Gi")
    assert not machine.sent and not one.told


async def test_amounts_are_rounded_to_what_the_device_can(at: Open, machine: Machine) -> None:
    report = await (await at(machine)).memory("1500M")
    assert machine.sent == ["qom-set 408"], "1500M are 1430.5Mi; blocks have 2Mi"
    assert not report.conditions and report.memory == status("1432Mi", "1432Mi")


async def test_dimms_for_a_guest_without_a_driver(at: Open, machine: Machine) -> None:
    machine.driver = False
    one = await at(machine)
    report = await one.memory("1792Mi")
    assert report.memory == status("1792Mi", "1792Mi")
    assert {name: str(dimm["size"]) for name, dimm in machine.dimms.items()} == {
        "dimm0": str(512 * MIB),
        "dimm1": str(256 * MIB),
    }
    assert (await one.memory("1280Mi")).memory == status("1280Mi", "1280Mi")
    assert set(machine.dimms) == {"dimm1"} and set(machine.objects) == {"memdimm1"}
    assert region(machine) == (0, 0)


async def test_a_qemu_that_cannot_tell_of_the_driver_tries(at: Open, machine: Machine) -> None:
    machine.driver = None
    await (await at(machine)).memory("2Gi")
    assert machine.sent == ["qom-set 1024"]


async def test_a_guest_that_stops_half_way_gives_it_back(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: min(size, 256 * MIB)
    one = await at(machine)
    report = await one.memory("2Gi")
    assert region(machine) == (0, 0)
    assert (only(report).status, only(report).reason) == ("False", "UnplugRefused")
    text = only(report).message
    assert text.startswith("the guest took 256Mi of 1Gi and then nothing for") and text.endswith("; 1Gi stay")
    assert report.memory == status("1Gi", "2Gi")
    assert await one.events() == [("UnplugRefused", text)]


async def test_a_guest_that_gives_back_only_part_gets_it_again(at: Open, machine: Machine) -> None:
    machine.has_region(1024 * MIB)
    machine.reach = lambda size: max(size, 768 * MIB)
    report = await (await at(machine)).memory("1Gi")
    assert region(machine) == (1024, 1024)
    assert only(report).message.startswith("the guest gave back 256Mi of 1Gi")
    assert report.memory == status("2Gi", "1Gi")


async def test_what_it_neither_takes_nor_gives_back_is_told(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: 256 * MIB
    report = await (await at(machine)).memory("2Gi")
    assert report.memory == status("1280Mi", "2Gi") and only(report).message.endswith("; 1280Mi stay")
    assert region(machine) == (256, 0), "nothing more comes later by itself"


@pytest.mark.parametrize("refusal", ["guest", "qemu"])
async def test_a_second_dimm_that_is_refused_takes_the_first_back(at: Open, machine: Machine, refusal: str) -> None:
    machine.driver = False
    if refusal == "guest":
        machine.taking = lambda device: 0x82 if device == "dimm1" else 0
    else:
        machine.refuse = {"device_add dimm1": GuestError("no slot", reason="GenericError")}
    report = await (await at(machine)).memory("1792Mi")
    assert not machine.dimms and not machine.objects
    assert only(report).status == "False" and only(report).message.endswith("; 1Gi stay")


async def test_a_dimm_that_is_refused_takes_virtio_mem_back(at: Open) -> None:
    machine = Machine()
    machine.has_region(maximum=512 * MIB)
    machine.taking = lambda device: 1
    report = await (await at(machine)).memory("2Gi")
    assert region(machine) == (0, 0) and not machine.dimms
    assert report.memory == status("1Gi", "2Gi")


async def test_a_dimm_that_is_kept_brings_the_others_again(at: Open, machine: Machine) -> None:
    for number in range(2):
        machine.has_dimm(number, 256 * MIB)
    machine.giving = lambda device: 0x83 if device == "dimm1" else 0
    machine.agent.connected = False
    report = await (await at(machine)).memory("1Gi")
    assert len(machine.dimms) == 2 == len(machine.objects)
    assert "the guest keeps dimm1: the device is busy" in only(report).message
    assert report.memory == status("1536Mi", "1Gi")


async def test_what_cannot_be_put_back_is_told(at: Open, machine: Machine) -> None:
    machine.driver = False
    machine.taking = lambda device: 0x82 if device == "dimm1" else 0
    machine.giving = lambda device: 0x83 if device == "dimm0" else 0
    machine.agent.connected = False
    one = await at(machine)
    report = await one.memory("1792Mi")
    assert set(machine.dimms) == {"dimm0"} and report.memory == status("1536Mi", "1792Mi")
    assert ("MemoryNotPutBack", "the guest keeps dimm0: the device is busy") in await one.events()


async def test_a_backend_without_its_device_is_swept(at: Open, machine: Machine) -> None:
    machine.driver = False
    machine.objects["memdimm0"] = {"id": "memdimm0", "size": 512 * MIB}
    await (await at(machine)).memory("1536Mi")
    assert machine.sent == ["object-del memdimm0", "object-add memdimm0", "device_add dimm0"]


async def test_a_daemon_that_died_between_two_dimms(at: Open, machine: Machine) -> None:
    machine.driver = False
    machine.has_dimm(0, 512 * MIB)
    report = await (await at(machine)).memory("1792Mi")
    assert set(machine.dimms) == {"dimm0", "dimm1"} and report.memory == status("1792Mi", "1792Mi")


async def test_a_daemon_that_died_while_virtio_mem_grew(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: size // 2
    await machine.instance.qmp("qom-set", {"path": "", "value": 1024 * MIB})
    machine.reach = lambda size: size
    report = await (await at(machine)).memory("2Gi")
    assert region(machine) == (1024, 1024) and report.memory == status("2Gi", "2Gi")


async def test_a_wish_that_was_taken_back_meanwhile(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: 0
    await machine.instance.qmp("qom-set", {"path": "", "value": 1024 * MIB})
    one = await at(machine)
    report = await one.memory("1Gi")
    assert region(machine) == (0, 0) and not report.conditions
    assert not await one.events(), "the guest has what it had"


async def test_more_than_the_host_has(at: Open, machine: Machine) -> None:
    one = await at(machine)
    one.host_has(1536 * MIB)
    report = await one.memory("2Gi")
    assert (only(report).status, only(report).reason) == ("False", "InsufficientMemory")
    assert only(report).message == "the guest wants 2Gi, this host has 1536Mi in all; 1Gi stay"
    assert not machine.sent
    assert not (await one.memory("1536Mi")).conditions


async def test_a_guest_that_does_not_run_is_waited_for(at: Open, machine: Machine) -> None:
    machine.run_state = RunState.PAUSED
    one = await at(machine)
    report = await one.memory("2Gi")
    assert (only(report).status, only(report).reason, report.again) == ("True", "Paused", 2.0)
    assert not machine.sent and report.memory == status("1Gi", "2Gi")
    machine.run_state = RunState.RUNNING
    assert not (await one.memory("2Gi")).conditions


async def test_a_lazy_guest_is_helped_to_use_it(at: Open, machine: Machine) -> None:
    machine.driver = False
    machine.agent.lazy = True
    one = await at(machine)
    await one.memory("1536Mi")
    assert len(machine.agent.blocks) == 12 and all(machine.agent.blocks.values())
    machine.agent.blocks[32] = False
    await one.memory("1536Mi")
    assert machine.agent.blocks[32], "at the next look, too"


async def test_a_guest_that_boots_takes_what_it_had_by_itself(at: Open, machine: Machine) -> None:
    machine.reach = lambda size: 0
    machine.agent.connected = False
    await machine.instance.qmp("qom-set", {"path": "", "value": 1024 * MIB})
    report = await (await at(machine)).memory("2Gi")
    assert machine.sent == ["qom-set 1024"]
    assert (only(report).status, only(report).reason) == ("True", "InProgress") and report.again is not None
    assert report.memory == status("1Gi", "2Gi")


async def test_encrypted_guests_have_what_they_have(at: Open, machine: Machine) -> None:
    one = await at(machine)
    one.vmi.spec.domain.launch_security = LaunchSecurity()
    assert (await one.memory("2Gi")).memory is None and not machine.sent


async def test_a_machine_that_is_lost_is_no_refusal(at: Open, machine: Machine) -> None:
    machine.has_exited = True
    machine.refuse = {"qom-set 1024": Unavailable("the monitor is gone")}
    one = await at(machine)
    with pytest.raises(Unavailable):
        await one.memory("2Gi")
    assert machine.sent == ["qom-set 1024"] and not await one.events()
