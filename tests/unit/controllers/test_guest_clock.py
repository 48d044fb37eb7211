from __future__ import annotations

import pytest

from solovirt.controllers import guest_clock
from solovirt.controllers.guest_clock import GuestClocks
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from tests.support.fakeqemu import SCHEMA
from tests.unit.controllers.lab import FakeInstance, Lab


@pytest.fixture
async def machine(lab: Lab) -> FakeInstance:
    await lab.create("Always")
    lab.host.machine.replies["query-qmp-schema"] = list(SCHEMA)
    return lab.host.machine


async def mend(lab: Lab, machine: FakeInstance) -> list[str]:
    clocks = GuestClocks(lab.manager._site)
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
