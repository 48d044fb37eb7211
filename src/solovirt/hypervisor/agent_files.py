"""Files inside the guest, by the agent's handles: opened, read, written, closed.

Source: QEMU's qga/qapi-schema.json, ``guest-file-*``. A handle lives in the agent until somebody closes it, so whoever
opens one closes it on every path. What the agent answers is the guest's word: counts and sizes are checked. Must not
know what is copied, nor where to.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from solovirt.hypervisor.agent import GuestAgent
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject, get_int, get_str

log = logging.getLogger(__name__)

READ_CHUNK = 1024 * 1024
WRITE_CHUNK = 256 * 1024
"""Bytes of one command. Larger ones are no faster (qemu-ga's JSON parser is what takes the time, more so on the way
in), and everybody else who wants the agent waits for one of them: a tenth of a second in an emulated guest."""
PATIENCE = 60.0
"""Seconds for one chunk: a guest may be busy writing out what it took before."""
CLOSE_PATIENCE = 10.0
FROZEN_PAUSE = 0.5
"""Seconds between two attempts while the guest's file systems are frozen: the agent refuses everything then."""


def is_frozen(error: GuestError) -> bool:
    """Whether a command was refused only because the guest is frozen (qga/main.c, "frozen state")."""
    return error.reason == "CommandDisabled" and "frozen" in error.message


class GuestFile:
    """One open file; a frozen guest is waited for. ``handle`` is the agent's number for it; ``at_end`` is True after a
    read that met the end.

    All methods raise ``GuestError`` as :class:`GuestAgent` does, and reason "AgentBadReply" for an answer that cannot
    be.
    """

    def __init__(self, agent: GuestAgent, handle: int) -> None:
        self.handle = handle
        self.at_end = False
        self._agent = agent
        self._offset = 0
        self._lost = False

    @classmethod
    async def open(cls, agent: GuestAgent, path: str, mode: str = "r") -> GuestFile:
        """``mode`` is one of fopen(3), without "x". Never open what may be a pipe: the agent would hang on it."""
        reply = await agent.command("guest-file-open", {"path": path, "mode": mode}, timeout=PATIENCE)
        # qemu-ga counts up from 0 or 1; what we remember of others could not be found again.
        if not isinstance(reply, int) or isinstance(reply, bool) or not 0 <= reply < 1 << 63:
            raise GuestError("guest-file-open: the reply is no handle", reason="AgentBadReply")
        return cls(agent, reply)

    async def read(self, count: int = READ_CHUNK, *, timeout: float = PATIENCE) -> bytes:
        """At most ``count`` bytes; b"" at the end of the file, which may grow meanwhile.

        After a read that failed the next one begins where the failed one should have: its late answer is lost.
        """
        if self._lost:
            await self._seek(self._offset, 0, timeout)
        self._lost = True
        arguments: JsonObject = {"handle": self.handle, "count": count}
        reply = await self._command("guest-file-read", arguments, timeout)
        data = _content(reply)
        if len(data) > count:
            raise GuestError("guest-file-read: more was sent than asked for", reason="AgentBadReply")
        self._lost = False
        self._offset += len(data)
        self.at_end = isinstance(reply, dict) and reply.get("eof") is True
        return data

    async def write(self, data: bytes, *, timeout: float = PATIENCE) -> None:
        """All of it. What failed may have been written in part."""
        text = base64.b64encode(data).decode("ascii")
        reply = await self._command("guest-file-write", {"handle": self.handle, "buf-b64": text}, timeout)
        if not isinstance(reply, dict) or get_int(reply, "count") != len(data):
            raise GuestError("guest-file-write: not everything was written", reason="ShortWrite")

    async def flush(self, *, timeout: float = PATIENCE) -> None:
        """What was written reaches the file: here a full disk of the guest shows."""
        await self._command("guest-file-flush", {"handle": self.handle}, timeout)

    async def size(self) -> int:
        """In bytes, as seeking to the end tells. The next read begins at the file's beginning."""
        size = await self._seek(0, 2, PATIENCE)
        await self._seek(0, 0, PATIENCE)
        return size

    async def close(self) -> None:
        await self._command("guest-file-close", {"handle": self.handle}, CLOSE_PATIENCE)

    async def _command(self, name: str, arguments: JsonObject, timeout: float) -> Json:
        while True:
            try:
                return await self._agent.command(name, arguments, timeout=timeout)
            except GuestError as error:
                if not is_frozen(error):
                    raise
            await asyncio.sleep(FROZEN_PAUSE)

    async def _seek(self, offset: int, whence: int, timeout: float) -> int:
        arguments: JsonObject = {"handle": self.handle, "offset": offset, "whence": whence}
        reply = await self._command("guest-file-seek", arguments, timeout)
        position = get_int(reply, "position", -1) if isinstance(reply, dict) else -1
        if not 0 <= position < 1 << 63:
            raise GuestError("guest-file-seek: the reply has no position", reason="AgentBadReply")
        self._offset = position
        return position


def _content(reply: Json) -> bytes:
    try:
        return base64.b64decode(get_str(reply, "buf-b64") if isinstance(reply, dict) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise GuestError("guest-file-read: the content is not base64", reason="AgentBadReply") from error


class Handles(Protocol):
    """Who remembers handles, so that somebody else closes them when we die (``controllers.guest_handles``)."""

    async def opened(self, handle: int) -> None: ...

    async def closed(self, handle: int) -> None: ...


@contextlib.asynccontextmanager
async def opened(
    agent: GuestAgent, path: str, mode: str, handles: Handles, closing: TaskSet
) -> AsyncIterator[GuestFile]:
    """A file that is open in this block and closed after it, however the block ends.

    What is to be closed when the block is cancelled is closed in ``closing``. Raises as :meth:`GuestFile.open`.
    """
    opening = asyncio.ensure_future(_open(agent, path, mode, handles))
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The agent may be opening it right now: its answer is waited for.
        closing.spawn(_close_late(opening, handles), f"open {path}")
        raise
    try:
        yield file
    finally:
        await asyncio.shield(closing.spawn(_close(file, handles), f"close {path}"))


async def _open(agent: GuestAgent, path: str, mode: str, handles: Handles) -> GuestFile:
    file = await GuestFile.open(agent, path, mode)
    await handles.opened(file.handle)
    return file


async def _close_late(opening: asyncio.Future[GuestFile], handles: Handles) -> None:
    with contextlib.suppress(GuestError):
        await _close(await opening, handles)


async def _close(file: GuestFile, handles: Handles) -> None:
    """An agent that is gone took its handles along; one that is only mute keeps what is remembered of them."""
    try:
        await file.close()
    except GuestError as error:
        log.info("handle %d of a guest agent was not closed: %s", file.handle, error)
        if error.reason != "CommandFailed":
            return
    await handles.closed(file.handle)
