from __future__ import annotations

import asyncio
from typing import cast

import pytest

from solovirt.controllers.vmi.agent import AgentMonitor, guest_os
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_info import Interface, OsInfo
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError
from tests.support.waiting import until
from tests.unit.controllers.lab import FakeAgent


class Machine:
    uid = "1"

    def __init__(self) -> None:
        self.agent = FakeAgent()
        self.agent.connected = True


class Grumpy(FakeAgent):
    async def osinfo(self) -> OsInfo:
        raise GuestError("no", reason="CommandDisabled")

    async def fsfreeze_status(self) -> str:
        return "frozen"


async def test_a_snapshot_comes_when_the_agent_does() -> None:
    told: list[str] = []
    monitor = AgentMonitor(told.append)
    machine = Machine()
    monitor.connected(cast(Instance, machine))
    monitor.connected(cast(Instance, machine))
    await until(lambda: told)
    assert told == ["1"]
    snapshot = monitor.snapshot("1")
    assert snapshot is not None
    assert snapshot.os is not None
    assert snapshot.os.name == "Tiny"
    assert (len(snapshot.interfaces), snapshot.freeze) == (1, "")
    monitor.disconnected("1")
    assert monitor.snapshot("1") is None
    await monitor.close()


async def test_a_freeze_shows_at_once_and_leaves_the_agent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monitor = AgentMonitor(told.append)
    monitor.frozen("1", False)
    assert told == []
    monitor.frozen("1", True)
    monitor.frozen("1", True)
    snapshot = monitor.snapshot("1")
    assert snapshot is not None and (snapshot.freeze, told) == ("frozen", ["1"])
    machine = Machine()
    machine.agent = Grumpy()
    assert await monitor._ask(cast(GuestAgent, machine.agent), snapshot) == snapshot
    monitor.frozen("1", False)
    snapshot = monitor.snapshot("1")
    assert snapshot is not None and snapshot.freeze == ""


async def test_an_agent_that_refuses_some_commands_still_tells_the_rest() -> None:
    told: list[str] = []
    monitor = AgentMonitor(told.append)
    machine = Machine()
    machine.agent = Grumpy()
    machine.agent.connected = True
    monitor.connected(cast(Instance, machine))
    await until(lambda: told)
    snapshot = monitor.snapshot("1")
    assert snapshot is not None
    assert (snapshot.os, snapshot.freeze) == (None, "frozen")
    assert all(isinstance(nic, Interface) for nic in snapshot.interfaces)
    await monitor.close()


def test_guest_os() -> None:
    assert guest_os(OsInfo(id="debian", version_id="12", kernel_release="6.1")).version_id == "12"


async def test_it_is_asked_at_once_when_there_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solovirt.controllers.vmi.agent._SOON", (60.0,))
    monitor = AgentMonitor(lambda uid: None)
    machine = Machine()
    monitor.soon("1")
    monitor.connected(cast(Instance, machine))
    await until(lambda: monitor.snapshot("1"))
    machine.agent.interfaces = nothing  # type: ignore[method-assign]
    await asyncio.sleep(0.02)
    before = monitor.snapshot("1")
    assert before is not None and before.interfaces, "not before its time"
    monitor.soon("1")
    await until(lambda: (now := monitor.snapshot("1")) is not None and now.interfaces == ())
    await monitor.close()


async def nothing() -> tuple[Interface, ...]:
    return ()
