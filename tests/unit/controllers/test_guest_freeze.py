from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from solovirt.controllers import guest_freeze
from solovirt.controllers.guest_freeze import GuestFreezer
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import Conflict, GuestError, HostError
from tests.support.memoryagent import MemoryAgent
from tests.support.waiting import until
from tests.unit.controllers.lab import Lab

HERE = ("default", "vm")


class FakeChild:
    has_exited = False

    def release(self) -> None:
        """It goes on."""


class Guardian:
    """In place of the process: ``deadlines`` of those that wait."""

    def __init__(self) -> None:
        self.deadlines: list[float] = []
        self.error: HostError | None = None

    def start(self, instance: Instance, deadline: float) -> FakeChild:
        if self.error is not None:
            raise self.error
        self.deadlines.append(deadline)
        return FakeChild()

    async def end(self, directory: Path, child: object) -> None:
        self.deadlines.clear()


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guardian:
    made = Guardian()
    monkeypatch.setattr(guest_freeze.guardian, "start", made.start)
    monkeypatch.setattr(guest_freeze.guardian, "end", made.end)
    monkeypatch.setattr(guest_freeze, "AGAIN", (0.01,))
    return made


@pytest.fixture
async def agent(lab: Lab, guard: Guardian) -> MemoryAgent:
    await lab.create("Always")
    made = MemoryAgent()
    lab.host.machine.agent = made  # type: ignore[assignment]
    return made


def freezer(lab: Lab) -> GuestFreezer:
    return lab.manager.operations.guest_work.freezer


def records(lab: Lab) -> dict[str, bytes]:
    return lab.objects.records.list("freezes")


async def shown(lab: Lab) -> str:
    await lab.settle()
    return lab.vmi().status.fs_freeze_status


async def reasons(lab: Lab) -> list[str]:
    await lab.settle()
    return lab.reasons()


async def test_freezing_and_thawing(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert await freezer(lab).freeze(*HERE, 300) == 1
    assert 300 <= guard.deadlines[0] - before < 330
    assert (agent.frozen, len(records(lab)), await shown(lab)) == (True, 1, "frozen")
    status = await freezer(lab).status(*HERE)
    assert status["status"] == "frozen" and str(status["until"]).endswith("Z")
    await freezer(lab).thaw(*HERE)
    assert (agent.frozen, records(lab), guard.deadlines, await shown(lab)) == (False, {}, [], "")
    assert await freezer(lab).status(*HERE) == {"status": "thawed"}
    assert {"Frozen", "Thawed"} <= set(await reasons(lab))


async def test_the_process_waits_before_anything_is_frozen(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    gate = agent.gates["guest-fsfreeze-freeze"] = asyncio.Event()
    freezing = asyncio.create_task(freezer(lab).freeze(*HERE, 300))
    await until(lambda: "guest-fsfreeze-freeze" in agent.commands)
    assert (agent.frozen, len(guard.deadlines), len(records(lab))) == (False, 1, 1)
    gate.set()
    assert await freezing == 1


async def test_twice_is_once(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    await freezer(lab).freeze(*HERE, 300)
    deadlines = list(guard.deadlines)
    assert await freezer(lab).freeze(*HERE, 9) == 1
    assert guard.deadlines == deadlines
    agent.frozen = False
    await freezer(lab).freeze(*HERE, 9)
    assert agent.frozen and guard.deadlines != deadlines, "somebody thawed it meanwhile"


async def test_the_deadline(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    await freezer(lab).freeze(*HERE, 0.05)
    agent.failures["guest-fsfreeze-thaw"] = [GuestError("mute", reason="AgentTimeout")] * 2
    async with asyncio.timeout(60):
        while records(lab):
            await asyncio.sleep(0.01)
    assert (agent.frozen, guard.deadlines, await shown(lab)) == (False, [], "")
    assert "FreezeTimeout" in await reasons(lab)


async def test_no_deadline(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    await freezer(lab).freeze(*HERE, 0)
    assert guard.deadlines == []
    assert await freezer(lab).status(*HERE) == {"status": "frozen"}


async def test_nothing_to_freeze(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    agent.filesystems_to_freeze = 0
    assert await freezer(lab).freeze(*HERE, 300) == 0
    assert (records(lab), guard.deadlines, await shown(lab)) == ({}, [], "")


async def test_a_freeze_that_fails_leaves_it_thawed(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    agent.late = True
    agent.failures["guest-fsfreeze-freeze"] = [GuestError("too slow", reason="AgentTimeout")]
    with pytest.raises(GuestError, match="too slow"):
        await freezer(lab).freeze(*HERE, 300)
    assert (agent.frozen, records(lab), guard.deadlines) == (False, {}, [])


async def test_a_mute_guest_keeps_its_guardian(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    agent.late = True
    for name in ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw"):
        agent.failures[name] = [GuestError("mute", reason="AgentTimeout")]
    with pytest.raises(GuestError, match="mute"):
        await freezer(lab).freeze(*HERE, 300)
    assert (len(records(lab)), len(guard.deadlines)) == (1, 1)


async def test_no_guardian_no_freeze(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    guard.error = HostError("no more processes")
    with pytest.raises(HostError):
        await freezer(lab).freeze(*HERE, 300)
    assert "guest-fsfreeze-freeze" not in agent.commands
    assert records(lab) == {}


async def test_a_request_that_is_cancelled(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    gate = agent.gates["guest-fsfreeze-freeze"] = asyncio.Event()
    freezing = asyncio.create_task(freezer(lab).freeze(*HERE, 300))
    await until(lambda: "guest-fsfreeze-freeze" in agent.commands)
    freezing.cancel()
    gate.set()
    await asyncio.wait([freezing])
    assert (agent.frozen, records(lab), guard.deadlines) == (False, {}, [])


async def test_the_next_daemon_goes_on(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    await freezer(lab).freeze(*HERE, 2)
    await lab.restart()
    assert agent.frozen
    async with asyncio.timeout(60):
        while records(lab):
            await asyncio.sleep(0.01)
    assert not agent.frozen


async def test_a_machine_that_ends_is_thawed_first(lab: Lab, agent: MemoryAgent, guard: Guardian) -> None:
    await freezer(lab).freeze(*HERE, 300)
    await lab.manager.operations.stop(*HERE)
    await lab.settle()
    assert "guest-fsfreeze-thaw" in agent.commands
    assert records(lab) == {}


async def test_refusals(lab: Lab, agent: MemoryAgent) -> None:
    agent.set_connected(False)
    for work in (freezer(lab).freeze(*HERE, 1), freezer(lab).thaw(*HERE), freezer(lab).status(*HERE)):
        with pytest.raises(Conflict):
            await work
