from __future__ import annotations

import pytest

from solovirt.controllers.vmi.records import WAKES
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, TimedOut
from tests.unit.controllers.lab import FakeInstance, Lab

HERE = ("default", "vm")


@pytest.fixture
async def machine(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> FakeInstance:
    """It is suspended."""
    await lab.create("Always")
    made = lab.host.machine
    made.run_state = RunState.SUSPENDED

    async def wakeup() -> None:
        assert due(lab) == [made.uid], "written down before"
        made.run_state = RunState.RUNNING

    async def finish() -> None:
        made.calls.append("finish")
        made.run_state = RunState.RUNNING

    monkeypatch.setattr(made, "wakeup", wakeup, raising=False)
    monkeypatch.setattr(made, "finish_wakeup", finish, raising=False)
    return made


def due(lab: Lab) -> list[str]:
    return list(lab.objects.records.list(WAKES))


async def wake(lab: Lab, machine: FakeInstance) -> None:
    await lab.manager.operations.machine.waking.wake(machine)  # type: ignore[arg-type]


async def test_done_is_forgotten(lab: Lab, machine: FakeInstance) -> None:
    await wake(lab, machine)
    assert machine.run_state is RunState.RUNNING and due(lab) == []
    await lab.restart()
    assert "finish" not in machine.calls


async def test_refused_is_forgotten(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused() -> None:
        raise GuestError("not suspended")

    monkeypatch.setattr(machine, "wakeup", refused)
    with pytest.raises(GuestError):
        await wake(lab, machine)
    assert due(lab) == []


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.RUNNING])
async def test_half_done_is_finished_by_the_next_daemon(lab: Lab, machine: FakeInstance, state: RunState) -> None:
    await lab.objects.records.put(WAKES, machine.uid, b"")
    machine.run_state = state
    await lab.restart()
    assert machine.calls.count("finish") == 1 and machine.run_state is RunState.RUNNING and due(lab) == []


async def test_not_begun_is_left_asleep(lab: Lab, machine: FakeInstance) -> None:
    await lab.objects.records.put(WAKES, machine.uid, b"")
    await lab.restart()
    assert "finish" not in machine.calls and machine.run_state is RunState.SUSPENDED and due(lab) == []


async def test_a_pause_that_somebody_wanted_stays(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mute() -> None:
        machine.run_state = RunState.RUNNING
        raise TimedOut("QEMU did not answer")

    monkeypatch.setattr(machine, "wakeup", mute)
    with pytest.raises(TimedOut):
        await wake(lab, machine)
    assert due(lab) == [machine.uid], "nobody knows how far it came"
    await lab.manager.operations.machine.pause(*HERE)
    await lab.restart()
    assert "finish" not in machine.calls and machine.run_state is RunState.PAUSED


async def test_one_that_does_not_answer_is_tried_again(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mute() -> None:
        raise TimedOut("QEMU did not answer")

    await lab.objects.records.put(WAKES, machine.uid, b"")
    machine.run_state = RunState.PAUSED
    monkeypatch.setattr(machine, "finish_wakeup", mute)
    await lab.restart()
    assert due(lab) == [machine.uid]
