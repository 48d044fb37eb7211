"""vCPUs come and go in QEMU with KVM. No guest runs: a task does what a guest's ACPI does, with the same registers.

Emulated vCPUs come and never go (see ``controllers.vmi.live.cpus``), so this is where going is tried on a real QEMU.
Registers: QEMU docs/specs/acpi_cpu_hotplug.rst, hw/acpi/ich9.h.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.hypervisor import cpus
from solovirt.hypervisor.happenings import Event, Listener
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.aio import poll
from solovirt.kit.errors import GuestError
from solovirt.kit.json import JsonObject
from tests.real.hypervisor.machines import machine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="needs /dev/kvm"),
]

MODEL = "qemu64"
OPTIONS = ("-machine", "accel=kvm", "-cpu", MODEL, "-smp", "2,threads=2,cores=1,sockets=3,maxcpus=6")
SELECT, FLAGS, COMMAND, DATA = 0xCD8, 0xCDC, 0xCDD, 0xCE0
INSERTING, REMOVING, EJECT = 2, 4, 8
OK, LOCKED = 0, 0x81
ROUNDS = 50


class Acpi:
    """The guest. ``taking`` and ``giving`` are what it says to a vCPU that comes, and to one that shall go."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.taking: dict[int, int] = {}
        self.giving: dict[int, int] = {}
        self.deaf = False
        self.looks = 0

    async def run(self) -> None:
        await self._do(f"o /w {SELECT:#x} 0")
        while True:
            for number in range(6) if not self.deaf else ():
                await self._look(number)
            self.looks += 1
            await asyncio.sleep(0.01)

    async def hears_nothing(self) -> None:
        """What it is at comes to its end."""
        self.deaf = True
        enough = self.looks + 2
        while self.looks < enough:
            await asyncio.sleep(0.01)

    async def _look(self, number: int) -> None:
        await self._do(f"o /w {SELECT:#x} {number}")
        flags = int((await self._do(f"i /b {FLAGS:#x}")).split("=")[1], 16)
        if flags & INSERTING:
            await self._do(f"o /b {FLAGS:#x} {INSERTING}")
            await self._say(1, self.taking.get(number, OK))
        elif flags & REMOVING:
            await self._do(f"o /b {FLAGS:#x} {REMOVING}")
            if number in self.giving:
                await self._say(3, self.giving[number])
            else:
                await self._say(3, 0x84)
                await self._do(f"o /b {FLAGS:#x} {EJECT}")
                await self._say(3, OK)

    async def _say(self, source: int, status: int) -> None:
        for command, data in ((1, source), (2, status)):
            await self._do(f"o /b {COMMAND:#x} {command}")
            await self._do(f"o /w {DATA:#x} {data}")

    async def _do(self, line: str) -> str:
        return str(await self._instance.qmp("human-monitor-command", {"command-line": line}))


@pytest.fixture
async def instance(root: Path, hypervisor: Hypervisor) -> Instance:
    return await hypervisor.launch(machine(root, extra=OPTIONS, paused=True))


@pytest.fixture
async def acpi(instance: Instance) -> AsyncIterator[Acpi]:
    made = Acpi(instance)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def there(instance: Instance) -> dict[int, str]:
    return {place.number: place.path for place in await cpus.places(instance) if place.path}


def state(pid: int) -> tuple[list[str], list[str]]:
    """Descriptors and threads. KVM keeps the vCPU of a place for the next one there: it can only make new ones."""
    opened = [os.readlink(entry.path).partition("[")[0] for entry in os.scandir(f"/proc/{pid}/fd")]
    threads = [Path(entry.path, "comm").read_text() for entry in os.scandir(f"/proc/{pid}/task")]
    return sorted(opened), sorted(name for name in threads if name != "worker\n")


async def test_a_guest_that_takes_and_gives(instance: Instance, acpi: Acpi) -> None:
    assert not await cpus.emulated(instance)
    places = await cpus.places(instance)
    assert [(one.number, one.socket, one.thread, bool(one.path)) for one in places] == [
        (0, 0, 0, True), (1, 0, 1, True), (2, 1, 0, False), (3, 1, 1, False), (4, 2, 0, False), (5, 2, 1, False),
    ]  # fmt: skip
    assert places[2].kind == f"{MODEL}-x86_64-cpu"

    assert await cpus.plug(instance, places[2:], timeout=60) == {}
    assert sorted(await there(instance)) == [0, 1, 2, 3, 4, 5]
    full = await cpus.places(instance)
    assert full[5].path == "/machine/peripheral/vcpu5"
    assert await cpus.unplug(instance, full[2:], timeout=60) == {}
    assert sorted(await there(instance)) == [0, 1]

    # One of the machine's start has no id, and goes and comes like the others; the first never goes.
    assert await cpus.unplug(instance, full[1:2], timeout=60) == {}
    assert sorted(await there(instance)) == [0]
    assert await cpus.plug(instance, places[1:2], timeout=60) == {}
    kept = await cpus.unplug(instance, full[:1], timeout=1)
    assert list(kept) == [0] and "unplug" in kept[0]


async def test_a_guest_that_refuses(instance: Instance, acpi: Acpi) -> None:
    places = await cpus.places(instance)
    acpi.taking = {3: LOCKED}
    assert await cpus.plug(instance, places[2:4], timeout=60) == {3: "it could not load a driver"}
    acpi.giving = {2: LOCKED}
    plugged = (await cpus.places(instance))[2:4]
    assert await cpus.unplug(instance, plugged, timeout=60) == {2: "the device is locked"}
    assert sorted(await there(instance)) == [0, 1, 2]

    await acpi.hears_nothing()
    assert await cpus.plug(instance, places[4:], timeout=1) == {4: "", 5: ""}, "plugged, and nobody said so"
    late = (await cpus.places(instance))[4:]
    assert await cpus.unplug(instance, late, timeout=1) == {4: "", 5: ""}
    acpi.deaf = False
    # The request still stands: QEMU says so, and it is waited for.
    assert await cpus.unplug(instance, late, timeout=60) == {}
    with pytest.raises(GuestError, match=r"already exists|Duplicate|in use"):
        await cpus.plug(instance, places[2:3], timeout=1)


async def test_the_transcript_of_the_talk(instance: Instance, acpi: Acpi) -> None:
    """Replies are not events; with KVM both DEVICE_DELETED come, and before the guest's last word."""
    with instance.happenings.listen() as events:
        props: JsonObject = {"core-id": 0, "thread-id": 1, "socket-id": 2, "id": "core1"}
        assert await instance.qmp("device_add", {"driver": f"{MODEL}-x86_64-cpu", **props}) == {}
        assert await take(events, 1) == [ost(1, 0, "core1")]
        assert await instance.qmp("device_del", {"id": "core1"}) == {}
        assert await take(events, 4) == [
            ost(3, 132, "core1"),
            ("DEVICE_DELETED", {"path": "/machine/peripheral/core1/lapic"}),
            ("DEVICE_DELETED", {"device": "core1", "path": "/machine/peripheral/core1"}),
            ost(3, 0),
        ]


async def take(events: Listener, count: int) -> list[Event]:
    return [await events.next(60) for _ in range(count)]


def ost(source: int, status: int, device: str = "") -> Event:
    info: JsonObject = {"source": source, "status": status, "slot": "5", "slot-type": "CPU"}
    if device:
        info["device"] = device
    return ("ACPI_DEVICE_OST", {"info": info})


async def test_rounds_leave_nothing_behind(instance: Instance, acpi: Acpi) -> None:
    async def once() -> None:
        assert await cpus.plug(instance, (await cpus.places(instance))[2:4], timeout=60) == {}
        assert await cpus.unplug(instance, (await cpus.places(instance))[2:4], timeout=60) == {}

    await once()
    before = state(instance.pid), await instance.qmp("qom-list", {"path": "/machine/peripheral"})
    for _ in range(ROUNDS):
        await once()
    assert await instance.qmp("qom-list", {"path": "/machine/peripheral"}) == before[1]

    async def same() -> bool:
        return state(instance.pid) == before[0]

    assert await poll(same, 30), (state(instance.pid), before[0])
