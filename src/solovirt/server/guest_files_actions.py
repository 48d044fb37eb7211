"""``subresources.solovirt.io``: files into guests and out of them.

- ``PUT files?path=PATH[&mode=OCTAL]``: the body is the file. The answer: size, sha256, how it was verified.
- ``GET files?path=PATH``: the file; ``x-solovirt-size``, ``-mode`` (octal) and ``-sha256``, as far as the guest told
them.

A file is never whole in memory. An answer that breaks off is shorter than its Content-Length.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from solovirt.kit.errors import BadRequest, SolovirtError
from solovirt.server import streams
from solovirt.server.actions import VMIS, Actions, Target, answer
from solovirt.server.guest_interfaces import Download
from solovirt.server.lifetime import Lifetime

log = logging.getLogger(__name__)

_MODE = re.compile(r"0?[0-7]{3,4}")


async def _put(target: Target) -> Response:
    path, mode = _path(target), target.request.query_params.get("mode", "")
    if mode and not _MODE.fullmatch(mode):
        raise BadRequest("mode: three or four octal digits are needed, for instance 0644", field="mode")
    services, body = target.services, streams.chunks(target.request)
    writing = services.operations.guest_work.files.put(
        target.namespace, target.name, path, body, mode=int(mode, 8) if mode else None
    )
    return answer(await streams.unless_stopped(services.lifetime, writing))


async def _get(target: Target) -> ASGIApp:
    services = target.services
    stack = AsyncExitStack()
    opening = stack.enter_async_context(
        services.operations.guest_work.files.get(target.namespace, target.name, _path(target))
    )
    download = await streams.unless_stopped(services.lifetime, opening)
    return FileAnswer(download, stack, services.lifetime)


class FileAnswer:
    """A file as an ASGI application; ``stack`` holds it open."""

    def __init__(self, download: Download, stack: AsyncExitStack, lifetime: Lifetime) -> None:
        self._download = download
        self._stack = stack
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(streams.disconnected(receive))
        try:
            sending = asyncio.create_task(self._send(send))
            leaving.add_done_callback(lambda _: sending.cancel())
            with self._lifetime.ending(lambda: _cancel(sending)):
                await asyncio.wait([sending])
            if not sending.cancelled() and (error := sending.exception()) is not None:
                if not isinstance(error, SolovirtError):
                    raise error
                # The client sees that less came than was announced.
                log.warning("a copy out of a guest broke off: %s", error)
        finally:
            leaving.cancel()
            await self._stack.aclose()

    async def _send(self, send: Send) -> None:
        look = self._download.look
        headers = [(b"content-type", b"application/octet-stream"), (b"x-solovirt-size", b"%d" % look.size)]
        if look.size:
            headers.append((b"content-length", b"%d" % look.size))
        if look.mode is not None:
            headers.append((b"x-solovirt-mode", b"%04o" % look.mode))
        if look.sha256:
            headers.append((b"x-solovirt-sha256", look.sha256.encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for data in self._download.chunks:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


def _path(target: Target) -> str:
    path = target.request.query_params.get("path", "")
    if not path:
        raise BadRequest("path: required", field="path")
    return path


ACTIONS: Actions = {(VMIS, "files"): {"PUT": _put, "GET": _get}}
