"""A growing file as a stream: its last lines, then what is added, across rotation.

Must not know whose log it is. Files are opened without following links, and only regular ones.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

from starlette.types import Receive, Scope, Send

from solovirt.kit.errors import HostError, NotFound

CHUNK = 64 * 1024
POLL = 0.25
MAX_TAIL_SCAN = 64 * 1024 * 1024
"""Bytes from the end that the search for the last lines looks at."""


class LogFile:
    """An open log. ``read`` goes on from where the last one stopped, and reopens the path once it names a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def seek_tail(self, lines: int) -> None:
        """Go to the beginning of the last ``lines`` lines. An unfinished last line counts as one."""
        end = os.fstat(self._descriptor).st_size
        floor = max(0, end - MAX_TAIL_SCAN)
        os.lseek(self._descriptor, _tail_offset(self._descriptor, lines, end, floor), os.SEEK_SET)

    def read(self) -> bytes:
        """At most CHUNK bytes; b"" when there is nothing new now."""
        data = os.read(self._descriptor, CHUNK)
        if data:
            return data
        here = os.fstat(self._descriptor)
        if here.st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR):
            # Truncated in place: begin again.
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            return os.read(self._descriptor, CHUNK)
        return os.read(self._descriptor, CHUNK) if self._reopened(here) else b""

    def _reopened(self, here: os.stat_result) -> bool:
        try:
            there = os.stat(self._path, follow_symlinks=False)
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return False
            new = _open(self._path)
        except (FileNotFoundError, NotFound):
            return False
        # Bytes written between our last read and the rotation would be lost with the old descriptor.
        if rest := os.fstat(self._descriptor).st_size - os.lseek(self._descriptor, 0, os.SEEK_CUR):
            os.close(new)
            return rest > 0
        os.close(self._descriptor)
        self._descriptor = new
        return True


class LogAnswer:
    """The stream as an ASGI application. ``follow`` is asked, whenever there is nothing new, whether to go on; None:
    stop at the end.
    """

    def __init__(self, log: LogFile, follow: Callable[[], bool] | None) -> None:
        self._log = log
        self._follow = follow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-cache")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send_all(send, leaving)
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()
            await asyncio.to_thread(self._log.close)

    async def _send_all(self, send: Send, leaving: asyncio.Task[None]) -> None:
        # An empty first chunk makes the server send the headers now.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while not leaving.done():
            goes_on = self._follow is not None and self._follow()
            while data := await asyncio.to_thread(self._log.read):
                await send({"type": "http.response.body", "body": data, "more_body": True})
                if leaving.done():
                    return
            if not goes_on:
                return
            await asyncio.wait([leaving], timeout=POLL)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def open_log(path: Path, tail: int | None) -> LogFile:
    """``tail`` None is the whole file. Raises NotFound, HostError."""
    log = await asyncio.to_thread(LogFile, path)
    if tail is not None:
        await asyncio.to_thread(log.seek_tail, tail)
    return log


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"{path.name} does not exist yet: the machine has not written to it") from error
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", reason="LogUnreadable") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HostError(f"{path} is not a regular file", reason="LogUnreadable")
    return descriptor


def _tail_offset(descriptor: int, lines: int, end: int, floor: int) -> int:
    if lines == 0 or end == 0:
        return end
    # The line end that closes the last line does not begin another one.
    position = end - 1 if os.pread(descriptor, 1, end - 1) == b"\n" else end
    while position > floor:
        start = max(floor, position - CHUNK)
        block = os.pread(descriptor, position - start, start)
        index = len(block)
        while (index := block.rfind(b"\n", 0, index)) >= 0:
            lines -= 1
            if lines == 0:
                return start + index + 1
        position = start
    return floor
