"""Measures one running machine: one round trip to QEMU, one to the guest's agent, a few files of /proc.

Nothing is done between two measurements, except that the guest's balloon driver reports every ten seconds once somebody
has asked (``rest`` ends that). Must not know who asks, how often, nor objects.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from solovirt.hypervisor import procfigures, qmpfigures
from solovirt.hypervisor.figures import Disk, Figures, Memory, Nic, Process
from solovirt.hypervisor.guestfigures import Agent, GuestFigures
from solovirt.hypervisor.pinning import thread_ids
from solovirt.kit.errors import GuestError, TimedOut, Unavailable
from solovirt.kit.json import Json, JsonObject

BALLOON = "/machine/peripheral/balloon0"
"""Where the memory balloon is in QEMU's tree (``compile.configurators.balloon`` names it)."""
POLLING = "guest-stats-polling-interval"
BALLOON_INTERVAL = 10
"""Seconds between two reports of the guest's balloon driver while somebody measures."""
MAX_VCPUS = 1024
PATIENCE = 2.0
"""Seconds that QEMU has to answer."""
SILENCE = 10.0
"""Seconds for which a QEMU that did not is not asked again: what it was asked waits in its socket."""


class Measured(Protocol):
    """The instance, as far as it matters here."""

    uid: str
    pid: int

    @property
    def agent(self) -> Agent: ...

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json: ...


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a machine's interfaces are: ``macs`` is address -> name, ``taps`` name -> the host's tap device."""

    macs: Mapping[str, str] = field(default_factory=dict)
    taps: Mapping[str, str] = field(default_factory=dict)


class _Answers(msgspec.Struct):
    memory: Memory | None = None
    disks: tuple[Disk, ...] = ()


class Meter:
    """Of one instance; to be made anew for another one."""

    def __init__(self, instance: Measured) -> None:
        self.instance = instance
        self._guest = GuestFigures(instance.agent)
        self._threads: dict[int, int] = {}
        self._known_threads = -1
        self._polling = False
        self._silent_until = 0.0

    async def measure(self, wiring: Wiring) -> Figures:
        """Never raises for what the machine does: ``errors`` says what is missing. Takes at most about 2 s."""
        errors: list[str] = []
        at = time.monotonic()
        process = procfigures.process(self.instance.pid)
        taps = tuple(_taps(wiring))
        counted = {nic.name for nic in taps}
        macs = {mac: name for mac, name in wiring.macs.items() if name not in counted}
        answers, nics, filesystems, load = await asyncio.gather(
            self._ask_qemu(process, errors), self._guest.nics(macs), self._guest.filesystems(), self._guest.load()
        )
        vcpus = procfigures.vcpus(self.instance.pid, self._threads)
        if len(vcpus) < len(self._threads):
            self._known_threads = -1
        return Figures(
            at=at,
            process=process,
            vcpus=vcpus,
            memory=answers.memory,
            disks=answers.disks,
            nics=(*taps, *nics),
            filesystems=filesystems,
            load=load,
            errors=tuple(errors),
        )

    async def rest(self) -> None:
        """Nobody measures any more: the guest's balloon driver need not report."""
        if not self._polling:
            return
        self._polling = False
        try:
            await self._set_polling(0)
        except (GuestError, Unavailable, TimedOut):
            pass  # a machine that is going, or hangs: there is nothing left to save

    async def _ask_qemu(self, process: Process | None, errors: list[str]) -> _Answers:
        loop = asyncio.get_running_loop()
        if loop.time() < self._silent_until:
            errors.append("QEMU did not answer and is left alone for a moment")
            return _Answers()
        try:
            # All are sent before the first reply is read.
            _, _, size, stats, balloon, guest = await asyncio.gather(
                self._learn_threads(process),
                _optional(self._begin_polling()),
                self._query("query-memory-size-summary"),
                self._query("query-blockstats", {"query-nodes": False}),
                _optional(self._query("query-balloon")),
                _optional(self._query("qom-get", {"path": BALLOON, "property": "guest-stats"})),
            )
        except (GuestError, Unavailable, TimedOut) as error:
            if isinstance(error, TimedOut):
                self._silent_until = loop.time() + SILENCE
            errors.append(error.message)
            return _Answers()
        return _Answers(qmpfigures.memory(size, balloon, guest), qmpfigures.disks(stats))

    async def _learn_threads(self, process: Process | None) -> None:
        """Asked again when the number of threads has changed: a vCPU may have been plugged."""
        now = process.threads if process is not None else 0
        if now != self._known_threads:
            found = thread_ids(await self._query("query-cpus-fast"))
            self._threads = dict(list(found.items())[:MAX_VCPUS])
            self._known_threads = now

    async def _begin_polling(self) -> None:
        if not self._polling:
            self._polling = True
            await self._set_polling(BALLOON_INTERVAL)

    async def _set_polling(self, seconds: int) -> None:
        arguments: JsonObject = {"path": BALLOON, "property": POLLING, "value": seconds}
        await self._query("qom-set", arguments)

    async def _query(self, command: str, arguments: JsonObject | None = None) -> Json:
        return await self.instance.qmp(command, arguments, timeout=PATIENCE)


async def _optional(asked: Awaitable[Json | None]) -> Json:
    """None where QEMU says that there is no such thing: a machine without a balloon, a guest without its driver."""
    try:
        return await asked
    except GuestError:
        return None


def _taps(wiring: Wiring) -> list[Nic]:
    counters = {name: procfigures.interface(device) for name, device in wiring.taps.items()}
    return [Nic(name=name, source="host", **found) for name, found in counters.items() if found is not None]
