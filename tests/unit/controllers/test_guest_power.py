"""Guests that suspend themselves: what counts as done, and what they say against it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from solovirt.controllers import guest_power
from solovirt.controllers.guest_power import GuestPower
from solovirt.controllers.targets import Targets
from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import Conflict, GuestError, TimedOut, Unavailable
from solovirt.kit.json import Json
from tests.support.waiting import until

HERE = ("default", "vm")
Answer = Callable[["Machine"], Awaitable[None]]


class Machine:
    """Agent, machine and targets in one; ``answer`` is what its guest does when asked."""

    def __init__(self, answer: Answer) -> None:
        self.uid = "u1"
        self.happenings = Happenings()
        self.run_state = RunState.RUNNING
        self.wakeup_support = True
        self.memory: list[str] = ["dimm"]
        self.commands: list[tuple[str, float]] = []
        self._answer = answer

    @property
    def agent(self) -> Machine:
        return self

    async def command(self, name: str, *, timeout: float, patience: float) -> Json:
        assert timeout > patience
        self.commands.append((name, patience))
        await self._answer(self)
        return {}

    async def qmp(self, command: str) -> Json:
        if command == "query-memory-devices":
            return [{"type": kind} for kind in self.memory]
        assert command == "query-current-machine"
        return {"wakeup-suspend-support": self.wakeup_support}

    async def wakeup(self) -> None:
        await self._answer(self)

    def with_agent(self, namespace: str, name: str) -> Machine:
        return self

    def running(self, namespace: str, name: str) -> tuple[None, Machine]:
        return None, self


def power(machine: Machine) -> GuestPower:
    return GuestPower(cast(Targets, machine), lambda _: machine.wakeup())


def happens(*names: str, then: Exception | None = None) -> Answer:
    async def answer(machine: Machine) -> None:
        for name in names:
            machine.happenings.tell(name, {})
        if then is not None:
            raise then
        await asyncio.sleep(60)

    return answer


async def hangs_up(machine: Machine) -> None:
    asyncio.get_running_loop().call_later(0.02, machine.happenings.tell, "SUSPEND_DISK", {})


@pytest.mark.parametrize(("mode", "event"), [("ram", "SUSPEND"), ("hybrid", "SUSPEND"), ("disk", "SUSPEND_DISK")])
async def test_the_machine_says_that_it_worked(mode: guest_power.Mode, event: str) -> None:
    machine = Machine(happens("NIC_RX_FILTER_CHANGED", event))
    await power(machine).suspend(*HERE, mode, timeout=5)
    assert machine.commands == [(f"guest-suspend-{mode}", 5)]


async def test_an_agent_that_goes_may_have_done_it() -> None:
    await power(Machine(hangs_up)).suspend(*HERE, "disk", timeout=5)


async def test_what_the_guest_said() -> None:
    failure = GuestError("guest-suspend-disk: no swap")
    machine = Machine(happens(then=failure))
    used = power(machine)
    for _ in range(2):
        with pytest.raises(GuestError, match="no swap"):
            await used.suspend(*HERE, "disk", timeout=5)


@pytest.mark.parametrize("memory", ["dimm", "virtio-mem"])
async def test_linux_with_virtio_mem_does_not_sleep(memory: str) -> None:
    failure = GuestError("child process has failed to suspend", reason="CommandFailed", hint="swap")
    machine = Machine(happens(then=failure))
    machine.memory.append(memory)
    with pytest.raises(GuestError) as caught:
        await power(machine).suspend(*HERE, "ram", timeout=5)
    assert ("memory-hotplug: pc-dimm" in caught.value.hint) == (memory == "virtio-mem")


async def test_silence() -> None:
    with pytest.raises(TimedOut, match=r"vm is not suspended after 0\.05 s") as caught:
        await power(Machine(happens("SUSPEND_DISK"))).suspend(*HERE, "ram", timeout=0.05)
    assert "solovirt logs vm" in caught.value.hint


async def test_a_machine_that_dies_meanwhile() -> None:
    async def dies(machine: Machine) -> None:
        machine.happenings.lost()
        await asyncio.sleep(60)

    with pytest.raises(Unavailable):
        await power(Machine(dies)).suspend(*HERE, "ram", timeout=5)


async def test_only_one_at_a_time() -> None:
    """A second request would be carried out when the guest is awake again."""
    machine = Machine(happens())
    used = power(machine)
    first = asyncio.create_task(used.suspend(*HERE, "ram", timeout=5))
    await until(lambda: machine.commands)
    with pytest.raises(Conflict, match="about to be suspended already"):
        await used.suspend(*HERE, "ram", timeout=5)
    machine.happenings.tell("SUSPEND", {})
    await first
    assert len(machine.commands) == 1


async def test_a_machine_that_could_not_be_woken() -> None:
    machine = Machine(happens("SUSPEND"))
    machine.wakeup_support = False
    with pytest.raises(Conflict, match="cannot wake up"):
        await power(machine).suspend(*HERE, "ram", timeout=5)
    assert machine.commands == []


async def test_waking_up() -> None:
    async def wakes(machine: Machine) -> None:
        machine.happenings.tell("WAKEUP", {})

    machine = Machine(wakes)
    with pytest.raises(Conflict, match="VMI is not suspended"):
        await power(machine).wakeup(*HERE)
    machine.run_state = RunState.SUSPENDED
    await power(machine).wakeup(*HERE)


async def test_one_that_does_not_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_power, "WAKEUP_PATIENCE", 0.02)

    async def sleeps_on(machine: Machine) -> None:
        machine.happenings.tell("RESET", {})

    machine = Machine(sleeps_on)
    machine.run_state = RunState.SUSPENDED
    with pytest.raises(TimedOut, match="did not wake up"):
        await power(machine).wakeup(*HERE)
