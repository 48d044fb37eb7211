"""vCPUs of a machine that follow the spec, or do not, and what is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from solovirt.api.kubevirt.virtualmachineinstance import CPUTopology
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, Unavailable
from tests.support.resizable import Machine
from tests.unit.controllers.lab import Lab
from tests.unit.controllers.vmi.live.sizing import Desk, desk, only, topology

Open = Callable[[Machine], Awaitable[Desk]]


@pytest.fixture
def at(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Open:
    return lambda machine: desk(lab, machine, monkeypatch)


def online(machine: Machine) -> list[int]:
    return [number for number, on in sorted(machine.agent.cpus.items()) if on]


async def test_sockets_come(at: Open) -> None:
    machine = Machine(sockets=1, cores=2)
    one = await at(machine)
    report = await one.cpus(3)
    assert sorted(machine.vcpus) == [0, 1, 2, 3, 4, 5]
    assert not report.conditions and report.again is None
    assert topology(report) == CPUTopology(cores=2, sockets=3, threads=1)
    assert await one.events() == [("VCPUsPlugged", "The guest has 3 sockets (6 vCPUs) now")]
    (going,) = one.told
    assert (only(going).type, only(going).status, only(going).reason) == ("HotVCPUChange", "True", "InProgress")
    assert only(going).message == "1 socket (2 vCPUs) become 3 sockets (6 vCPUs)"
    assert topology(going).sockets == 1


async def test_what_is_right_is_left_alone(at: Open) -> None:
    machine = Machine(sockets=2)
    one = await at(machine)
    report = await one.cpus(2)
    assert topology(report).sockets == 2 and not report.conditions
    assert not machine.sent and not one.told and not await one.events()


async def test_a_machine_that_cannot_change_has_nothing_to_say(at: Open) -> None:
    report = await (await at(Machine(most=0, sockets=0))).cpus(1)
    assert report.topology is None and not report.conditions


async def test_sockets_go_the_last_one_first(at: Open) -> None:
    machine = Machine(sockets=3)
    one = await at(machine)
    report = await one.cpus(1)
    assert sorted(machine.vcpus) == [0]
    assert machine.sent == ["device_del /machine/unattached/device[2]", "device_del /machine/unattached/device[1]"]
    assert topology(report).sockets == 1 and report.again is None
    assert await one.events() == [("VCPUsUnplugged", "The guest has 1 socket (1 vCPU) now")]


@pytest.mark.parametrize("silent", [True, False])
async def test_one_that_is_refused_takes_those_before_it_back(at: Open, silent: bool) -> None:
    machine = Machine(sockets=1, cores=2)
    machine.taking = lambda device: 0x82 if device == "vcpu3" else (None if silent else 0)
    one = await at(machine)
    report = await one.cpus(2)
    assert sorted(machine.vcpus) == [0, 1], "nothing is half plugged"
    assert (only(report).status, only(report).reason) == ("False", "UnplugRefused")
    said = "the guest does not take the new vCPUs: its system does not support it; 1 socket (2 vCPUs) stay"
    assert only(report).message == said
    assert topology(report).sockets == 1
    assert await one.events() == [("UnplugRefused", said)]


async def test_qemu_refuses_in_the_middle(at: Open) -> None:
    machine = Machine(sockets=1, cores=2)
    machine.refuse = {"device_add vcpu3": GuestError("no memory", reason="GenericError")}
    report = await (await at(machine)).cpus(2)
    assert sorted(machine.vcpus) == [0, 1]
    assert (only(report).status, only(report).reason) == ("False", "GenericError")


async def test_a_guest_that_says_nothing_of_new_ones_has_them(at: Open) -> None:
    machine = Machine()
    machine.taking = lambda device: None
    machine.agent.connected = False
    report = await (await at(machine)).cpus(2)
    assert sorted(machine.vcpus) == [0, 1] and not report.conditions


async def test_a_lazy_guest_is_helped_to_use_them(at: Open) -> None:
    machine = Machine()
    machine.agent.lazy = True
    one = await at(machine)
    assert not (await one.cpus(3)).conditions
    assert online(machine) == [0, 1, 2]


async def test_one_that_does_not_use_them_is_told_of(at: Open) -> None:
    machine = Machine()
    machine.agent.lazy = True
    machine.agent.refuse = {"guest-set-vcpus": GuestError("it is disabled")}
    one = await at(machine)
    report = await one.cpus(2)
    assert topology(report).sockets == 2 and not report.conditions, "they are plugged"
    text = "the guest has the new vCPUs, and does not use them: it is disabled"
    assert ("VCPUsOffline", text) in await one.events()


@pytest.mark.parametrize(("status", "reason"), [(0x83, "UnplugRefused"), (None, "UnplugTimeout")])
async def test_a_guest_that_keeps_one_gets_the_others_back(at: Open, status: int | None, reason: str) -> None:
    machine = Machine(sockets=4)
    machine.agent.connected = False
    machine.giving = lambda device: status if device.endswith("[1]") else 0
    one = await at(machine)
    report = await one.cpus(1)
    assert sorted(machine.vcpus) == [0, 1, 2, 3]
    assert (only(report).status, only(report).reason) == ("False", reason)
    assert only(report).message.endswith("; 4 sockets (4 vCPUs) stay")
    assert topology(report).sockets == 4


async def test_a_guest_that_lets_only_idle_ones_go_is_helped(at: Open) -> None:
    machine = Machine(sockets=3)
    busy = machine.agent.cpus
    machine.giving = lambda device: 0x83 if busy[int(device[-2])] else 0
    report = await (await at(machine)).cpus(1)
    assert sorted(machine.vcpus) == [0] and not report.conditions


async def test_help_that_does_not_help_is_undone(at: Open) -> None:
    machine = Machine(sockets=3)
    machine.giving = lambda device: 0x83
    report = await (await at(machine)).cpus(1)
    assert sorted(machine.vcpus) == [0, 1, 2] and online(machine) == [0, 1, 2]
    assert "the device is busy" in only(report).message


async def test_a_guest_that_does_not_run_is_waited_for(at: Open) -> None:
    machine = Machine()
    machine.run_state = RunState.PAUSED
    one = await at(machine)
    report = await one.cpus(2)
    assert (only(report).status, only(report).reason, report.again) == ("True", "Paused", 2.0)
    assert not machine.sent and topology(report).sockets == 1
    machine.run_state = RunState.RUNNING
    assert not (await one.cpus(2)).conditions
    assert len(machine.vcpus) == 2


async def test_a_daemon_that_died_between_two_cores(at: Open) -> None:
    machine = Machine(sockets=1, cores=2)
    machine.vcpus[2] = "/machine/peripheral/vcpu2"
    machine.agent.cpus[2] = True
    report = await (await at(machine)).cpus(2)
    assert machine.sent == ["device_add vcpu3"]
    assert topology(report).sockets == 2


async def test_half_of_a_socket_that_is_not_wanted_any_more(at: Open) -> None:
    machine = Machine(sockets=1, cores=2)
    machine.vcpus[2] = "/machine/peripheral/vcpu2"
    machine.agent.cpus[2] = True
    report = await (await at(machine)).cpus(1)
    assert sorted(machine.vcpus) == [0, 1] and topology(report).sockets == 1


async def test_half_of_a_socket_of_a_paused_machine_goes_later(at: Open) -> None:
    machine = Machine(sockets=1, cores=2)
    machine.vcpus[2] = "/machine/peripheral/vcpu2"
    machine.run_state = RunState.PAUSED
    report = await (await at(machine)).cpus(1)
    assert (only(report).reason, report.again) == ("Paused", 2.0)


async def test_a_machine_that_is_lost_is_no_refusal(at: Open) -> None:
    machine = Machine()
    machine.refuse = {"device_add vcpu1": Unavailable("the monitor is gone")}
    one = await at(machine)
    with pytest.raises(Unavailable):
        await one.cpus(2)
    assert not await one.events()


# Emulated machines


async def test_emulated_ones_are_parked(at: Open) -> None:
    machine = Machine(sockets=3, kvm=False)
    one = await at(machine)
    report = await one.cpus(1)
    assert not machine.sent and online(machine) == [0]
    assert topology(report).sockets == 1 and report.again == 60.0, "a reboot takes them on line"
    ((reason, text),) = await one.events()
    assert (reason, text) == (
        "VCPUsUnplugged",
        "The guest has 1 socket (1 vCPU) now, the others off line: emulated vCPUs cannot be removed",
    )


async def test_parked_ones_are_used_again_before_new_ones_come(at: Open) -> None:
    machine = Machine(sockets=3, kvm=False)
    one = await at(machine)
    await one.cpus(1)
    report = await one.cpus(2)
    assert not machine.sent and online(machine) == [0, 1] and report.again == 60.0
    report = await one.cpus(4)
    assert machine.sent == ["device_add vcpu3"] and online(machine) == [0, 1, 2, 3]
    assert topology(report).sockets == 4 and report.again is None


async def test_a_guest_that_was_rebooted_is_parked_again(at: Open) -> None:
    machine = Machine(sockets=2, kvm=False)
    one = await at(machine)
    await one.cpus(1)
    machine.agent.cpus[1] = True
    assert not (await one.cpus(1)).conditions
    assert online(machine) == [0]


async def test_parking_needs_the_agent(at: Open) -> None:
    machine = Machine(sockets=2, kvm=False)
    machine.agent.connected = False
    report = await (await at(machine)).cpus(1)
    assert (only(report).status, only(report).reason) == ("False", "UnplugRefused")
    assert "by the guest's agent, which does not answer" in only(report).message
    assert topology(report).sockets == 2


async def test_a_guest_that_parks_only_some_keeps_all(at: Open) -> None:
    machine = Machine(sockets=4, kvm=False)
    machine.agent.stubborn = {2}
    report = await (await at(machine)).cpus(1)
    assert online(machine) == [0, 1, 2, 3]
    assert "busy" in only(report).message and "\x1b" not in only(report).message
    assert topology(report).sockets == 4


async def test_new_emulated_ones_that_are_refused_are_parked(at: Open) -> None:
    machine = Machine(sockets=1, kvm=False, cores=2)
    machine.taking = lambda device: 0x81 if device == "vcpu3" else 0
    report = await (await at(machine)).cpus(2)
    assert online(machine) == [0, 1]
    assert only(report).reason == "UnplugRefused" and topology(report).sockets == 1
