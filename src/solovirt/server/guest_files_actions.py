"""``subresources.solovirt.io``: files into guests and out of them.

- ``PUT files?path=PATH[&mode=OCTAL]``: the body is the file. The answer: size, sha256, how it was verified.
- ``GET files?path=PATH``: the file; ``x-solovirt-size``, ``-mode`` (octal) and ``-sha256``, as far as the guest told
them.

A file is never whole in memory. An answer that breaks off is shorter than its Content-Length; with ``Accept:
application/vnd.solovirt.frames`` its last word is why (``server.bytestreams``).
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.kit.errors import BadRequest
from solovirt.server import streams
from solovirt.server.actions import VMIS, Actions, Target, answer
from solovirt.server.bytestreams import ByteAnswer, wants_frames

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
    look = download.look
    headers = [(b"x-solovirt-size", b"%d" % look.size)]
    if look.mode is not None:
        headers.append((b"x-solovirt-mode", b"%04o" % look.mode))
    if look.sha256:
        headers.append((b"x-solovirt-sha256", look.sha256.encode()))
    return ByteAnswer(
        download.chunks,
        stack,
        services.lifetime,
        what=f"a copy out of guest {target.name}",
        framed=wants_frames(target.request),
        headers=headers,
        size=look.size or None,
    )


def _path(target: Target) -> str:
    path = target.request.query_params.get("path", "")
    if not path:
        raise BadRequest("path: required", field="path")
    return path


ACTIONS: Actions = {(VMIS, "files"): {"PUT": _put, "GET": _get}}
