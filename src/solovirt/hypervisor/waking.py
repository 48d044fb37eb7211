"""Waking a machine that is suspended to RAM, so that it can be switched off and suspended again.

The reset that belongs to waking up takes the address of the power management registers from an ICH9 bridge (q35), and
SeaBIOS (1.16.2), which set it at boot, does not set it again: the guest would go on, but neither feel the power button
nor switch itself off. So the machine is stopped before its firmware has come far, and the registers get what every
firmware of QEMU gives them. Sources: QEMU hw/isa/lpc_ich9.c; SeaBIOS src/fw/pciinit.c, ``mch_isa_lpc_setup``.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject

_ADDRESS, _DATA = 0xCF8, 0xCFC
"""Ports by which PCI configuration space is read and written."""
_BRIDGE = 0x8000_F800
"""Configuration space of 00:1f.0."""
_ICH9 = 0x2918_8086
_BASE, _CONTROL = 0x40, 0x44
_BASE_AT_BOOT, _ENABLED = 0x601, 0x80
_BASE_MASK = 0xFF80
_PORT = re.compile(r"= (0x[0-9a-f]{1,8})\b")


class Machine(Protocol):
    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json: ...


async def wake(machine: Machine) -> None:
    """Returns when the CPUs run. GuestError when the guest is not suspended, or cannot be woken."""
    # Both at once: the guest's own code must not run in between.
    woken, stopped = await asyncio.gather(machine.qmp("system_wakeup"), machine.qmp("stop"), return_exceptions=True)
    try:
        if isinstance(woken, BaseException):
            raise woken
        if isinstance(stopped, BaseException):
            raise stopped
        await _mend(machine)
    finally:
        if not isinstance(stopped, BaseException):
            await machine.qmp("cont")


async def finish(machine: Machine) -> None:
    """What is left to do of ``wake`` when it was cut short after the guest woke up; the CPUs run then."""
    await machine.qmp("stop")
    try:
        await _mend(machine)
    finally:
        await machine.qmp("cont")


async def _mend(machine: Machine) -> None:
    # What its firmware was about to read or write.
    before = await _in(machine, _ADDRESS)
    if await _read(machine, 0) == _ICH9 and not await _read(machine, _BASE) & _BASE_MASK:
        await _out(machine, "w", _DATA, _BASE_AT_BOOT)
        await _out(machine, "w", _ADDRESS, _BRIDGE | _CONTROL)
        await _out(machine, "b", _DATA, _ENABLED)
    await _out(machine, "w", _ADDRESS, before)


async def _read(machine: Machine, register: int) -> int:
    await _out(machine, "w", _ADDRESS, _BRIDGE | register)
    return await _in(machine, _DATA)


async def _in(machine: Machine, port: int) -> int:
    said = await machine.qmp("human-monitor-command", {"command-line": f"i /w {port:#x}"})
    found = _PORT.search(said) if isinstance(said, str) else None
    if found is None:
        raise GuestError("QEMU did not say what a port holds", reason="Malformed")
    return int(found[1], 16)


async def _out(machine: Machine, size: str, port: int, value: int) -> None:
    await machine.qmp("human-monitor-command", {"command-line": f"o /{size} {port:#x} {value:#x}"})
