"""A port of the guest, reachable from here for a moment: through QEMU's user network, which nothing else can enter.

The forward listens on a loopback address, on a port that the kernel chooses, and is removed once the probe has its
answer: anyone of this host could use it meanwhile, nobody later. Source: QEMU hmp-commands.hx, ``hostfwd_add``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.json import Json, JsonObject

log = logging.getLogger(__name__)

LOOPBACK = "127.83.86.1"
"""An address of the loopback device that nobody else uses, so that forwards of probes are known by it."""
_NETDEV = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_HEADING = re.compile(r"\S.*\(([^()]*)\):\s*$")
_FORWARD = re.compile(r"\s*TCP\[HOST_FORWARD\]\s+\S+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s")
_ROW = re.compile(r"\s*TCP\[(\w+)\]\s+\S+\s+(\S+)\s+(\d+)\s")


class Monitored(Protocol):
    """The instance, as far as it matters here."""

    async def qmp(self, command: str, arguments: JsonObject | None = None) -> Json: ...


class Forwards:
    """The forwards of one instance that are open now, by their local ports.

    ``lock`` is held while one is opened, so that a new one can be told from those that lead to the same place.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.ports: set[int] = set()
        self.swept: set[str] = set()


@asynccontextmanager
async def open_port(instance: Monitored, netdev: str, guest: str, port: int, known: Forwards) -> AsyncIterator[int]:
    """The local port that leads to ``guest``:``port`` (TCP) of the user network ``netdev``, for as long as needed.

    Several may be open at once: one that hangs holds up no other. Raises ``GuestError`` reason "ForwardFailed", and
    what QMP raises.
    """
    address = str(ipaddress.IPv4Address(guest))
    if not _NETDEV.fullmatch(netdev):
        raise GuestError(f"{netdev[:64]!r} cannot be named to QEMU's monitor", reason="ForwardFailed")
    async with known.lock:
        opening = asyncio.create_task(
            _open(instance, netdev, address, port, known), name=f"forward to {address}:{port}"
        )
        try:
            local = await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(SolovirtError):
                await _remove(instance, netdev, await opening, known)  # nothing that was opened stays
            raise
    try:
        yield local
    finally:
        with contextlib.suppress(SolovirtError):
            await asyncio.shield(_remove(instance, netdev, local, known))


async def _open(instance: Monitored, netdev: str, address: str, port: int, known: Forwards) -> int:
    if netdev not in known.swept:
        # A daemon that was killed during a probe left its forward open.
        for left in _local_ports(await _human(instance, "info usernet"), netdev):
            await _human(instance, f"hostfwd_remove {netdev} tcp:{LOOPBACK}:{left}")
        known.swept.add(netdev)
    said = await _human(instance, f"hostfwd_add {netdev} tcp:{LOOPBACK}:0-{address}:{port}")
    if said.strip():
        raise GuestError(f"QEMU forwards no port to {address}:{port}: {said.strip()[:200]}", reason="ForwardFailed")
    found = _local_ports(await _human(instance, "info usernet"), netdev, address, port)
    local = next((one for one in found if one not in known.ports), None)
    if local is None:
        raise GuestError(f"QEMU does not tell its port to {address}:{port}", reason="ForwardFailed")
    known.ports.add(local)
    return local


async def _remove(instance: Monitored, netdev: str, local: int, known: Forwards) -> None:
    known.ports.discard(local)
    await _human(instance, f"hostfwd_remove {netdev} tcp:{LOOPBACK}:{local}")


def _local_ports(listing: str, netdev: str, guest: str = "", port: int = 0) -> list[int]:
    """Forwards to this guest's port, or to all of them, in the reply of ``info usernet``."""
    found: list[int] = []
    mine = True
    for line in listing.splitlines():
        if (heading := _HEADING.match(line)) is not None:
            mine = heading[1] == netdev
        row = _FORWARD.match(line)
        if not mine or row is None or row[1] != LOOPBACK or not 0 < int(row[2][:8]) < 65536:
            continue
        if not guest or (row[3], int(row[4][:8])) == (guest, port):
            found.append(int(row[2]))
    return found


ACCEPTED = frozenset({"ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT"})
"""States of a connection that the guest has accepted."""


async def connection_state(instance: Monitored, netdev: str, local: int) -> str:
    """The state of a connection that came through the forward at ``local``; "" while or when there is none."""
    return state_of(await _human(instance, "info usernet"), netdev, local)


def state_of(listing: str, netdev: str, local: int) -> str:
    """The most advanced state in the reply of ``info usernet``."""
    states: list[str] = []
    mine = True
    for line in listing.splitlines():
        if (heading := _HEADING.match(line)) is not None:
            mine = heading[1] == netdev
        row = _ROW.match(line)
        if mine and row is not None and row[1] != "HOST_FORWARD" and (row[2], int(row[3])) == (LOOPBACK, local):
            states.append(row[1])
    return next((state for state in states if state in ACCEPTED), states[0] if states else "")


async def _human(instance: Monitored, line: str) -> str:
    reply = await instance.qmp("human-monitor-command", {"command-line": line})
    return reply if isinstance(reply, str) else ""
