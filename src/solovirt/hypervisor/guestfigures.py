"""Figures that only the guest has: counters of its interfaces, fill of its file systems, its load. Asked of its agent.

QEMU does not count what goes through its user network, so the guest's own counters stand for it. The guest's word is
bounded and may be missing; an agent that does not answer is left alone for a while. Must not know who wants figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from solovirt.hypervisor.agent_info import FileSystem, read
from solovirt.hypervisor.figures import Filesystem, Load, Nic
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that the agent has for each answer: people and scrapers wait for it."""
SILENCE = 30.0
"""Seconds for which a command that failed or was not answered is not sent again."""
SLOW = 30.0
"""Seconds for which an answer about file systems counts: it makes the guest look at each of them."""
MAX_FILESYSTEMS = 64
_LIMIT = 1 << 63


class Agent(Protocol):
    @property
    def connected(self) -> bool: ...

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json: ...


class _Statistics(msgspec.Struct, frozen=True, rename="kebab"):
    """GuestNetworkInterfaceStat of qga/qapi-schema.json."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errs: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errs: int = 0
    tx_dropped: int = 0


class _Interface(msgspec.Struct, frozen=True, rename="kebab"):
    hardware_address: str = ""
    statistics: _Statistics | None = None


class _Load(msgspec.Struct, frozen=True):
    """GuestLoadAverage, since QEMU 10.0."""

    load1m: float
    load5m: float
    load15m: float


class GuestFigures:
    """Of one machine. Nothing raises: what the agent does not tell is not there."""

    def __init__(self, agent: Agent, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._agent = agent
        self._clock = clock
        self._silent: dict[str, float] = {}
        self._filesystems: tuple[Filesystem, ...] = ()
        self._looked = -SLOW

    async def nics(self, macs: Mapping[str, str]) -> tuple[Nic, ...]:
        """Of the machine's own interfaces: ``macs`` is address -> name in the manifest."""
        found = await self._ask("guest-network-get-interfaces", tuple[_Interface, ...]) or ()
        counted: dict[str, Nic] = {}
        for one in found:
            name = macs.get(one.hardware_address.lower())
            # Bridges and VLANs in the guest have their port's address: the first one is the port itself.
            if name is not None and one.statistics is not None:
                counted.setdefault(name, _nic(name, one.statistics))
        return tuple(counted.values())

    async def filesystems(self) -> tuple[Filesystem, ...]:
        """At most half a minute old."""
        if not self._agent.connected:
            self._filesystems, self._looked = (), -SLOW
        elif self._clock() - self._looked >= SLOW:
            found = await self._ask("guest-get-fsinfo", tuple[FileSystem, ...])
            if found is not None:
                self._filesystems, self._looked = _filesystems(found), self._clock()
        return self._filesystems

    async def load(self) -> Load | None:
        found = await self._ask("guest-get-load", _Load)
        return Load(found.load1m, found.load5m, found.load15m) if found is not None else None

    async def _ask(self, command: str, kind: type[T]) -> T | None:
        if not self._agent.connected:
            self._silent.clear()
            return None
        if self._clock() < self._silent.get(command, 0.0):
            return None
        try:
            return read(command, await self._agent.command(command, timeout=PATIENCE), kind)
        except GuestError:
            self._silent[command] = self._clock() + SILENCE
            return None


def _nic(name: str, counted: _Statistics) -> Nic:
    return Nic(
        name=name,
        source="guest-agent",
        rx_bytes=_bounded(counted.rx_bytes),
        rx_packets=_bounded(counted.rx_packets),
        rx_errors=_bounded(counted.rx_errs),
        rx_dropped=_bounded(counted.rx_dropped),
        tx_bytes=_bounded(counted.tx_bytes),
        tx_packets=_bounded(counted.tx_packets),
        tx_errors=_bounded(counted.tx_errs),
        tx_dropped=_bounded(counted.tx_dropped),
    )


def _filesystems(found: tuple[FileSystem, ...]) -> tuple[Filesystem, ...]:
    """Each place once, and only those whose size is told."""
    shown: dict[tuple[str, str, str], Filesystem] = {}
    for one in found:
        if one.used_bytes is not None and one.total_bytes is not None:
            used, total = _bounded(one.used_bytes), _bounded(one.total_bytes)
            made = Filesystem(one.name[:253], one.mountpoint[:253], one.type[:63], used, total)
            shown.setdefault((made.disk, made.mount_point, made.type), made)
    return tuple(shown.values())[:MAX_FILESYSTEMS]


def _bounded(value: int) -> int:
    return min(max(value, 0), _LIMIT)
