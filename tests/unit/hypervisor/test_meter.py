"""One machine measured: this very process stands for QEMU, its monitor is a dictionary."""

from __future__ import annotations

import asyncio
import os

import pytest

from solovirt.hypervisor import meter as meters
from solovirt.hypervisor.meter import BALLOON_INTERVAL, POLLING, Meter, Wiring
from solovirt.kit.errors import GuestError, TimedOut, Unavailable
from solovirt.kit.json import Json, JsonObject
from tests.unit.hypervisor.test_guestfigures import ETH0, MAC, Agent
from tests.unit.hypervisor.test_qmpfigures import GUEST, ROOT


class Machine:
    """``failure`` is raised by every command; ``held``: no command is answered."""

    def __init__(self, *, balloon: bool = True) -> None:
        self.uid, self.pid = "uid", os.getpid()
        self.agent = Agent(guest_network_get_interfaces=[ETH0])
        self.failure: Exception | None = None
        self.balloon = balloon
        self.asked: list[tuple[str, JsonObject]] = []
        self.waiting = 0
        self.most = 0

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        self.asked.append((command, arguments or {}))
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0.001)
        self.waiting -= 1
        if self.failure is not None:
            raise self.failure
        if not self.balloon and (command == "query-balloon" or command.startswith("qom-")):
            raise GuestError("no balloon", reason="DeviceNotActive")
        replies: dict[str, Json] = {
            "query-cpus-fast": [{"cpu-index": 0, "thread-id": self.pid}],
            "query-memory-size-summary": {"base-memory": 1 << 28, "plugged-memory": 0},
            "query-blockstats": [ROOT],
            "query-balloon": {"actual": 1 << 27},
            "qom-get": GUEST,
        }
        return replies.get(command, {})

    def times(self, command: str) -> int:
        return sum(name == command for name, _ in self.asked)


async def test_everything_at_once() -> None:
    machine = Machine()
    found = await Meter(machine).measure(Wiring({MAC: "default"}))
    assert found.errors == ()
    assert found.process is not None
    assert found.process.resident > 0
    assert [vcpu.index for vcpu in found.vcpus] == [0]
    assert [disk.name for disk in found.disks] == ["root"]
    assert [nic.name for nic in found.nics] == ["default"]
    assert found.memory is not None
    assert (found.memory.domain, found.memory.balloon) == (1 << 28, 1 << 27)
    assert found.memory.guest is not None
    assert machine.most == len(machine.asked) == 6, "one round trip: all are sent before the first is answered"


async def test_the_balloon_reports_from_the_first_measurement_until_nobody_asks() -> None:
    machine = Machine()
    meter = Meter(machine)
    await meter.rest()
    assert machine.asked == []
    await meter.measure(Wiring())
    await meter.measure(Wiring())
    intervals = [arguments["value"] for name, arguments in machine.asked if name == "qom-set"]
    assert intervals == [BALLOON_INTERVAL]
    assert BALLOON_INTERVAL >= 10
    await meter.rest()
    assert machine.asked[-1][1]["property"] == POLLING
    assert machine.asked[-1][1]["value"] == 0
    await meter.measure(Wiring())
    assert machine.times("qom-set") == 3


async def test_threads_are_learned_again_when_their_number_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    meter = Meter(machine)
    for _ in range(3):
        await meter.measure(Wiring())
    assert machine.times("query-cpus-fast") == 1
    known = meters.procfigures.process(machine.pid)
    assert known is not None
    changed = type(known)(known.user, known.system, known.resident, known.uptime, known.threads + 1)
    monkeypatch.setattr(meters.procfigures, "process", lambda pid: changed)
    await meter.measure(Wiring())
    assert machine.times("query-cpus-fast") == 2


async def test_a_machine_without_a_balloon_has_no_error() -> None:
    found = await Meter(Machine(balloon=False)).measure(Wiring())
    assert found.errors == ()
    assert found.memory is not None
    assert (found.memory.balloon, found.memory.guest) == (None, None)


@pytest.mark.parametrize("failure", [Unavailable("no monitor"), GuestError("refused"), TimedOut("slow")])
async def test_what_the_kernel_knows_is_there_without_qemu(failure: Exception) -> None:
    machine = Machine()
    machine.failure = failure
    meter = Meter(machine)
    found = await meter.measure(Wiring({MAC: "default"}))
    assert found.process is not None
    assert found.nics
    assert (found.disks, found.memory) == ((), None)
    assert found.errors == (str(failure),)
    await meter.rest()


async def test_a_qemu_that_hangs_is_left_alone_for_a_while() -> None:
    machine = Machine()
    machine.failure = TimedOut("no answer")
    meter = Meter(machine)
    await meter.measure(Wiring())
    machine.asked.clear()
    machine.failure = None
    found = await meter.measure(Wiring())
    assert machine.asked == []
    assert "left alone" in found.errors[0]
    meter._silent_until = 0.0
    assert (await meter.measure(Wiring())).errors == ()


async def test_tap_devices_are_counted_by_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters.procfigures, "interface", lambda name: {"rx_bytes": 5} if name == "tap0" else None)
    wiring = Wiring({MAC: "default", "02:00:00:00:00:01": "other"}, {"default": "tap0", "gone": "tap9"})
    (nic,) = (await Meter(Machine()).measure(wiring)).nics
    assert (nic.name, nic.source, nic.rx_bytes) == ("default", "host", 5)
