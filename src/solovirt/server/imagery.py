"""``/apis/subresources.solovirt.io/v1/images``: list, pull or import with progress, remove.

Pull and import answer JSON lines: ``{"message","done","total"}`` while they work, then the image itself, or
``{"error","reason","hint","code"}``. A client that leaves ends its own request; a pull that others wait for goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from solovirt.api import status
from solovirt.kit import json
from solovirt.kit.errors import BadRequest, SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.server import bodies, negotiation
from solovirt.server.call import Services
from solovirt.server.errors import method_not_allowed, unexpected
from solovirt.server.interfaces import ImportRequest, PullRequest

MAX_FILES = 64

Work = Callable[[Callable[[JsonObject], None]], Awaitable[JsonObject]]


class ImageBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``files``: path inside the image -> absolute path on this host. ``policy`` is a KubeVirt imagePullPolicy."""

    action: Literal["pull", "import"]
    reference: str
    files: dict[str, str] = msgspec.field(default_factory=dict)
    policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    username: str = ""
    password: str = ""


async def serve(request: Request, services: Services, reference: str) -> ASGIApp:
    """``reference`` is what the path says behind ``images/``; the query may say it, too. Raises NotFound."""
    reference = reference or request.query_params.get("reference", "")
    match request.method:
        case "GET":
            return _json({"items": list(await services.images.list())})
        case "POST":
            body = await bodies.read_object(request)
            try:
                return LineAnswer(_work(services, json.convert(body, ImageBody)), request.url.path)
            except msgspec.ValidationError as error:
                raise BadRequest(f"the request body does not fit: {error}") from error
        case "DELETE":
            if not reference:
                raise BadRequest("reference: required", field="reference")
            await services.images.remove(reference)
            return _json(status.success(message=f"{reference} removed"))
    raise method_not_allowed()


def _work(services: Services, body: ImageBody) -> Work:
    if not body.reference:
        raise BadRequest("reference: required", field="reference")
    if body.action == "pull":
        if body.files:
            raise BadRequest("files: only an import has files", field="files")
        pull = PullRequest(body.reference, body.policy, body.username, body.password)
        return lambda progress: services.images.pull(pull, progress)
    if body.policy or body.username or body.password:
        raise BadRequest("policy, username and password are for a pull only")
    if not 0 < len(body.files) <= MAX_FILES:
        raise BadRequest(f"files: an import has 1 to {MAX_FILES} files", field="files")
    for inside, local in body.files.items():
        if not inside.startswith("/") or not local.startswith("/"):
            raise BadRequest(f"files: {inside!r}: both paths must be absolute", field="files")
    add = ImportRequest(body.reference, body.files)
    return lambda progress: services.images.add(add, progress)


class LineAnswer:
    """Progress and result of one piece of work, as JSON lines. Progress that the client is too slow for is skipped."""

    def __init__(self, work: Work, path: str) -> None:
        self._work = work
        self._path = path
        self._latest: JsonObject | None = None
        self._news = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._work(self._report))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            headers = [(b"content-type", b"application/x-ndjson")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send_line(send, None)
            await self._send_progress(send, work, leaving)
            if work.done():
                await _send_line(send, self._result(work))
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()
            work.cancel()
            await asyncio.wait([work])

    def _report(self, progress: JsonObject) -> None:
        self._latest = progress
        self._news.set()

    async def _send_progress(self, send: Send, work: asyncio.Future[JsonObject], leaving: asyncio.Task[None]) -> None:
        while not (work.done() or leaving.done()):
            news = asyncio.create_task(self._news.wait())
            ends: set[asyncio.Future[JsonObject] | asyncio.Task[bool] | asyncio.Task[None]] = {news, work, leaving}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            self._news.clear()
            if self._latest is not None and not leaving.done():
                latest, self._latest = self._latest, None
                await _send_line(send, latest)

    def _result(self, work: asyncio.Future[JsonObject]) -> JsonObject:
        error = work.exception()
        if error is None:
            return work.result()
        if not isinstance(error, SolovirtError):
            if not isinstance(error, Exception):
                raise error
            error = unexpected(error, "POST", self._path)
        return {"error": error.message, "reason": error.reason, "hint": error.hint, "code": error.code}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_line(send: Send, line: JsonObject | None) -> None:
    body = b"" if line is None else json.encode(line) + b"\n"
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _json(value: JsonObject) -> Response:
    return Response(json.encode(value), media_type=negotiation.JSON)
