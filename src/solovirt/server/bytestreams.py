"""Bytes that a machine gives piece by piece, as an answer: for clients that can read frames, with the reason at its end
when it breaks off. For all others such an answer is cut short: it has no last chunk, or less than its Content-Length.

Must not know what the bytes are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from solovirt.api import status
from solovirt.kit import frames, json
from solovirt.kit.errors import SolovirtError, TimedOut, Unavailable
from solovirt.server import streams
from solovirt.server.lifetime import Lifetime

log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]
LAST_WORD_PATIENCE = 5.0
"""Seconds that a client may take to take the last word."""


class _NobodyReads(TimedOut):
    """There is nobody to be told, either."""


def wants_frames(request: Request) -> bool:
    return any(frames.MEDIA_TYPE in value for value in request.headers.getlist("accept"))


class ByteAnswer:
    """An ASGI application. ``chunks`` raises ``SolovirtError`` where it breaks off; ``stack`` holds their source open.

    ``size`` is announced unless it is None. ``stall`` is how many seconds a client may leave unread what waits for it;
    0: for ever. ``what`` is for the log.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        stack: AsyncExitStack,
        lifetime: Lifetime,
        *,
        what: str,
        framed: bool = False,
        headers: Headers | None = None,
        size: int | None = None,
        stall: float = 0.0,
    ) -> None:
        self._chunks = chunks
        self._stack = stack
        self._lifetime = lifetime
        self._what = what
        self._framed = framed
        self._headers = headers or []
        self._size = size
        self._stall = stall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(streams.disconnected(receive))
        try:
            async with self._stack:
                await self._until_over(send, leaving)
        except SolovirtError as error:
            log.warning("%s broke off: %s", self._what, error)
        finally:
            leaving.cancel()

    async def _until_over(self, send: Send, leaving: asyncio.Task[None]) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving.add_done_callback(lambda _: sending.cancel())
        try:
            with self._lifetime.ending(lambda: _cancel(sending)):
                await asyncio.wait([sending])
        finally:
            sending.cancel()
        if not sending.cancelled():
            error = sending.exception()
        elif leaving.done():
            return
        else:
            error = Unavailable("the daemon is being stopped")
        if error is None:
            return
        if isinstance(error, SolovirtError) and not isinstance(error, _NobodyReads):
            await self._say(send, error)
        raise error

    async def _send(self, send: Send) -> None:
        kind = frames.MEDIA_TYPE if self._framed else "application/octet-stream"
        headers = [(b"content-type", kind.encode()), *self._headers]
        if self._size is not None and not self._framed:
            headers.append((b"content-length", b"%d" % self._size))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for data in self._chunks:
            if not data:
                continue
            body = frames.frame(data) if self._framed else data
            try:
                async with asyncio.timeout(self._stall or None):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            except TimeoutError as error:
                raise _NobodyReads(f"whoever asked for it read nothing for {self._stall:g} s") from error
        end = frames.last_word(json.encode(status.success())) if self._framed else b""
        await send({"type": "http.response.body", "body": end})

    async def _say(self, send: Send, error: SolovirtError) -> None:
        if self._framed:
            end = frames.last_word(json.encode(status.failure(error)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_PATIENCE):
                    await send({"type": "http.response.body", "body": end})


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
