"""A guest's memory on its way to whoever asked for it, never on a disk of ours: QEMU writes into a pipe that we read.

Whoever stops to read, or dies, ends the dump: QEMU finds the pipe closed and lets the guest go on. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from solovirt.hypervisor import dump
from solovirt.hypervisor.happenings import Listener
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError, SolovirtError, Unavailable

log = logging.getLogger(__name__)

PIPE = 1024 * 1024
"""Bytes that QEMU may be ahead of us: as many as an ordinary user may ask for (fs.pipe-max-size)."""
LOOK = 0.2
GIVE_UP = 60.0
"""Seconds that QEMU has to notice that nobody reads."""


@dataclass(frozen=True, slots=True)
class MemoryStream:
    """``memory`` is how many bytes the guest has; the dump has headers besides, or is compressed."""

    memory: int
    chunks: AsyncIterator[bytes]
    """Raises ``GuestError`` or ``Unavailable`` at its end when the dump has failed."""


@asynccontextmanager
async def opened(instance: Instance, form: str, tasks: TaskSet) -> AsyncIterator[MemoryStream]:
    """A dump that goes on in this block. Raises as ``dump.begin``. ``tasks`` sees to what is left of it."""
    with instance.happenings.listen() as listener:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                os.set_blocking(reading, False)
                with contextlib.suppress(OSError):
                    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
                await dump.begin(instance, writing, form)
            finally:
                os.close(writing)
            try:
                found = await dump.progress(instance)
                yield MemoryStream(found.total, _chunks(instance, reading, listener))
            finally:
                with contextlib.suppress(RuntimeError):
                    tasks.spawn(_settle(instance), f"end of a memory dump of {instance.uid}")
        finally:
            os.close(reading)


async def _chunks(instance: Instance, reading: int, listener: Listener) -> AsyncIterator[bytes]:
    while True:
        await _readable(reading)
        data = os.read(reading, PIPE)
        if not data:
            break
        yield data
    try:
        while (found := await dump.step(instance, listener)).status == "active":
            pass
    except Unavailable as error:
        raise GuestError("QEMU ended before the memory dump was complete", reason="DumpFailed") from error
    if found.status != "completed":
        raise GuestError("QEMU does not know of the memory dump any more", reason="DumpFailed")


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _settle(instance: Instance) -> None:
    """Follows a dump to its end: the machine's state is what QEMU says again."""
    try:
        async with asyncio.timeout(GIVE_UP):
            while (await dump.progress(instance)).status == "active":
                await asyncio.sleep(LOOK)
            instance.expect_stop(None)
    except TimeoutError:
        log.warning("instance %s: its memory dump has no end though nobody reads it", instance.uid)
    except SolovirtError as error:
        log.debug("instance %s: the end of its memory dump was not seen: %s", instance.uid, error)
