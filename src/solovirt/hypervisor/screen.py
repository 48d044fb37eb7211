"""The guest's screen as a picture, and the pointer that wakes it up.

QEMU writes into memory that we made, sealed so that it cannot grow: no path, no disk, no rights of anybody. What it
wrote is checked before anybody gets it. Must not know objects.

Source: ``screendump``, ``input-send-event``, ``query-mice`` in QEMU's qapi/ui.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os

from solovirt.hypervisor import png
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.qmpschema import schema_of
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import Json

LIMIT = 64 * 1024 * 1024
"""Bytes of a picture: a raw one of 5120 x 4096 still fits."""
AWAKE = 0.4
"""Seconds that a guest has to draw its screen after the pointer moved."""


async def picture(instance: Instance) -> bytes:
    """The first display as PNG. Raises ``GuestError`` when there is none, or what QEMU wrote is no picture."""
    direct = "png" in (await schema_of(instance)).values("screendump", "format")
    descriptor = _sealed()
    try:
        # QEMU picks from a set of descriptors by the way they were opened: it wants to write only.
        writable = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            number = await instance.add_fd(writable)
        finally:
            os.close(writable)
        try:
            where = f"/dev/fdset/{number}"
            await instance.qmp("screendump", {"filename": where, **({"format": "png"} if direct else {})})
        finally:
            with contextlib.suppress(SolovirtError):
                await instance.qmp("remove-fd", {"fdset-id": number})
        return await asyncio.to_thread(_read, descriptor, direct)
    finally:
        os.close(descriptor)


async def wiggle(instance: Instance) -> None:
    """Moves the pointer there and back, and gives the guest a moment. Nothing happens where it has no pointer."""
    reply = await instance.qmp("query-mice")
    mice = [one for one in reply if isinstance(one, dict)] if isinstance(reply, list) else []
    current = next((one for one in mice if one.get("current") is True), None)
    if current is None:
        return
    kind = "abs" if current.get("absolute") is True else "rel"
    for value in (0x4000, 0x4100) if kind == "abs" else (5, -5):
        moves: list[Json] = [{"type": kind, "data": {"axis": axis, "value": value}} for axis in ("x", "y")]
        await instance.qmp("input-send-event", {"events": moves})
    await asyncio.sleep(AWAKE)


def _sealed() -> int:
    descriptor = os.memfd_create("screen", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, LIMIT)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _read(descriptor: int, direct: bool) -> bytes:
    """The written part of the memory, and not the hole behind it."""
    try:
        end = os.lseek(descriptor, 0, os.SEEK_HOLE)
    except OSError:
        end = LIMIT
    data = os.pread(descriptor, end, 0)
    return png.checked(data if direct else png.from_ppm(data))
