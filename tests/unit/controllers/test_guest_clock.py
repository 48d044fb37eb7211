from __future__ import annotations

import asyncio

import pytest

from solovirt.controllers import guest_clock
from solovirt.controllers.guest_clock import GuestClocks
from solovirt.controllers.vmi.records import CLOCKS, MachineRecords
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, HostError
from solovirt.kit.json import Json, JsonObject
from tests.support.fakeqemu import SCHEMA
from tests.unit.controllers.lab import FakeInstance, Lab


@pytest.fixture
async def machine(lab: Lab) -> FakeInstance:
    await lab.create("Always")
    lab.host.machine.replies["query-qmp-schema"] = list(SCHEMA)
    return lab.host.machine


def due(lab: Lab) -> list[str]:
    return list(lab.objects.records.list(CLOCKS))


async def mend(lab: Lab, machine: FakeInstance) -> list[str]:
    clocks = GuestClocks(lab.manager._site)
    await clocks.intend(machine)  # type: ignore[arg-type]
    assert due(lab) == ([machine.uid] if machine.agent.connected else [])
    clocks.mend(lab.vmi(), machine)  # type: ignore[arg-type]
    await clocks.wait()
    await clocks.close()
    await lab.settle()
    return [reason for reason in lab.reasons() if reason == "ClockNotSet"]


async def test_the_time_that_is_set(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[JsonObject | None] = []

    async def command(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        given.append(arguments)
        return {}

    machine.agent.connected = True
    monkeypatch.setattr(machine.agent, "command", command)
    monkeypatch.setattr(guest_clock.time, "time_ns", lambda: 42)
    assert await mend(lab, machine) == []
    assert given == [{"time": 42}] and guest_clock.REINJECTION in machine.calls
    assert due(lab) == [], "it is done"


async def test_an_agent_that_was_mute_for_a_while(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the time of when it was asked: it is told once more."""
    waits, given = [0.03, 0.0], 0

    async def command(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        nonlocal given
        given += name == "guest-set-time"
        await asyncio.sleep(waits.pop(0))
        return {}

    machine.agent.connected = True
    monkeypatch.setattr(machine.agent, "command", command)
    monkeypatch.setattr(guest_clock, "LATE", 0.02)
    assert await mend(lab, machine) == []
    assert given == 2 and waits == []


async def test_no_agent(lab: Lab, machine: FakeInstance) -> None:
    assert await mend(lab, machine) == []
    assert guest_clock.REINJECTION not in machine.calls


async def test_a_qemu_that_has_no_reinjection(lab: Lab, machine: FakeInstance) -> None:
    machine.replies["query-qmp-schema"] = []
    machine.agent.connected = True
    assert await mend(lab, machine) == []
    assert guest_clock.REINJECTION not in machine.calls


@pytest.mark.parametrize(("state", "told"), [(RunState.RUNNING, ["ClockNotSet"]), (RunState.PAUSED, [])])
async def test_failing(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch, state: RunState, told: list[str]
) -> None:
    async def command(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        machine.run_state = state
        raise GuestError("no answer", reason="AgentTimeout")

    machine.agent.connected = True
    monkeypatch.setattr(machine.agent, "command", command)
    assert await mend(lab, machine) == told
    assert due(lab) == ([] if told else [machine.uid]), "whoever sees it run again sets it"


async def test_what_a_daemon_left_undone(lab: Lab, machine: FakeInstance) -> None:
    """The next one does it as soon as it sees the agent."""
    machine.agent.connected = True
    await lab.objects.records.put(CLOCKS, machine.uid, b"")
    lab.host.tell(machine, "agent-connected")
    await lab.manager.operations.machine.clocks.wait()
    assert machine.agent.commands.count("guest-set-time") == 1 and due(lab) == []
    lab.host.tell(machine, "agent-connected")
    await lab.manager.operations.machine.clocks.wait()
    assert machine.agent.commands.count("guest-set-time") == 1, "once"


async def test_a_paused_guest_is_left_alone(lab: Lab, machine: FakeInstance) -> None:
    machine.agent.connected = True
    machine.run_state = RunState.PAUSED
    await lab.objects.records.put(CLOCKS, machine.uid, b"")
    lab.host.tell(machine, "agent-connected")
    await lab.manager.operations.machine.clocks.wait()
    assert "guest-set-time" not in machine.agent.commands and due(lab) == [machine.uid]


async def test_a_full_disk(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest goes on, and its clock is mended all the same."""

    async def full(kind: str, key: str, value: bytes) -> None:
        raise HostError("no space left")

    machine.agent.connected = True
    monkeypatch.setattr(lab.objects.records, "put", full)
    clocks = GuestClocks(lab.manager._site)
    await clocks.intend(machine)  # type: ignore[arg-type]
    clocks.mend(lab.vmi(), machine)  # type: ignore[arg-type]
    await clocks.wait()
    assert machine.agent.commands.count("guest-set-time") == 1


async def test_nothing_is_remembered_of_a_machine_that_is_gone(lab: Lab, machine: FakeInstance) -> None:
    await lab.objects.records.put(CLOCKS, machine.uid, b"")
    await MachineRecords(lab.objects.records).drop_machine(machine.uid)
    assert due(lab) == []
