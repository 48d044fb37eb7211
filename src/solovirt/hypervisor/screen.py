"""The guest's screen as a picture, and the pointer that wakes it up.

QEMU writes into memory that we made and handed over: no path, no disk, no rights of anybody. It could make it larger
than a picture, as it could any memory of its own; we read no more than a picture, and check it. Must not know objects.

Source: ``screendump``, ``input-send-event``, ``query-mice`` in QEMU's qapi/ui.json; monitor/fds.c.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref

from solovirt.hypervisor import png
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.qmpschema import schema_of
from solovirt.kit.errors import GuestError, SolovirtError, TimedOut
from solovirt.kit.json import Json

LIMIT = 64 * 1024 * 1024
"""Bytes of a picture: a raw one of 5120 x 4096 still fits."""
AWAKE = 0.4
"""Seconds that a guest has to draw its screen after the pointer moved."""

PATIENCE = 30.0
"""Seconds that one picture waits for the one before it."""
_SET = 7001
"""Number of QEMU's set of descriptors: the same each time, as QEMU before 9.1 keeps the empty ones for ever."""


class _Canvas:
    """What one machine draws on, one picture after the other."""

    def __init__(self) -> None:
        self.free = asyncio.Lock()
        self.file: _File | None = None


class _File:
    """In memory. ``writable`` is what QEMU has a copy of, so that both have one place where it goes on writing."""

    def __init__(self) -> None:
        self.readable = os.memfd_create("screen", os.MFD_CLOEXEC)
        # QEMU picks from a set of descriptors by the way they were opened: it wants to write only.
        self.writable = os.open(f"/proc/self/fd/{self.readable}", os.O_WRONLY | os.O_CLOEXEC)
        self.given = False
        self.close = weakref.finalize(self, _close, self.readable, self.writable)

    def clear(self) -> None:
        os.ftruncate(self.readable, 0)
        os.lseek(self.writable, 0, os.SEEK_SET)


_canvases: weakref.WeakKeyDictionary[Instance, _Canvas] = weakref.WeakKeyDictionary()


async def picture(instance: Instance) -> bytes:
    """The first display as PNG. Raises ``GuestError`` when there is none, or what QEMU wrote is no picture."""
    direct = "png" in (await schema_of(instance)).values("screendump", "format")
    canvas = _canvases.setdefault(instance, _Canvas())
    try:
        async with asyncio.timeout(PATIENCE):
            await canvas.free.acquire()
    except TimeoutError:
        raise TimedOut(f"the picture before this one is not there after {PATIENCE:g} s") from None
    try:
        return await _drawn(instance, canvas, direct)
    finally:
        canvas.free.release()


async def _drawn(instance: Instance, canvas: _Canvas, direct: bool) -> bytes:
    file, canvas.file, drawn = canvas.file or _File(), None, False
    try:
        if not file.given:
            file.given = True
            await instance.add_fd(file.writable, _SET)
        where = f"/dev/fdset/{_SET}"
        await instance.qmp("screendump", {"filename": where, **({"format": "png"} if direct else {})})
        drawn = True
        return await asyncio.to_thread(_read, file.readable, direct)
    finally:
        file.clear()
        if drawn and instance.run_state is not RunState.RUNNING:
            # QEMU before 9.1 closes nothing while the machine is paused: the next picture goes into the same file.
            canvas.file = file
        else:
            file.close()
            with contextlib.suppress(SolovirtError):
                # Those of a daemon that died, too.
                await instance.qmp("remove-fd", {"fdset-id": _SET})


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
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


def _read(descriptor: int, direct: bool) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > LIMIT:
        raise GuestError(f"QEMU wrote a picture of {size} bytes", reason="BrokenPicture")
    data = os.pread(descriptor, size, 0)
    return png.checked(data if direct else png.from_ppm(data))
