"""The guest's screen as a picture, and the pointer that wakes it up.

QEMU writes into memory that we made and handed over: no path, no disk, no rights of anybody. It could make it larger
than a picture, as it could any memory of its own; we read no more than a picture, and check it. Must not know objects.

Source: ``screendump``, ``input-send-event``, ``query-mice`` in QEMU's qapi/ui.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

from solovirt.hypervisor import png
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.qmpschema import schema_of
from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.json import Json

LIMIT = 64 * 1024 * 1024
"""Bytes of a picture: a raw one of 5120 x 4096 still fits."""
AWAKE = 0.4
"""Seconds that a guest has to draw its screen after the pointer moved."""


async def picture(instance: Instance) -> bytes:
    """The first display as PNG. Raises ``GuestError`` when there is none, or what QEMU wrote is no picture."""
    direct = "png" in (await schema_of(instance)).values("screendump", "format")
    descriptor = os.memfd_create("screen", os.MFD_CLOEXEC)
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


def _read(descriptor: int, direct: bool) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > LIMIT:
        raise GuestError(f"QEMU wrote a picture of {size} bytes", reason="BrokenPicture")
    data = os.pread(descriptor, size, 0)
    return png.checked(data if direct else png.from_ppm(data))
