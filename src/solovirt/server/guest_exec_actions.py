"""``subresources.solovirt.io``: programs in guests with their output as it comes, found again, ended.

- ``POST exec/stream[?detach=true]``: the request is the body's first line, JSON; what follows is the program's stdin.
- ``GET exec/stream?id=ID``: the same answer for a program that was left alone.
- ``GET exec``: what is known; ``DELETE exec?id=ID[&signal=NAME]``: end and forget it, or send it a signal.

The answer is JSON lines: ``{"id"}``, then any number of ``{"stdout"}`` and ``{"stderr"}`` in base64, then one of
``{"exitCode", "timedOut"}``, ``{"error": {message, reason, hint}}`` and ``{"detached": ID}`` (the daemon was stopped,
the program goes on). A client that leaves an answer to POST ends the program.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from solovirt.hypervisor.agent_exec import SIGNALS, Signal, is_id
from solovirt.kit import json
from solovirt.kit.errors import BadRequest, NotFound, SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.server import bodies, guest_actions, parameters, streams
from solovirt.server.actions import VMIS, Actions, Target, answer, typed
from solovirt.server.guest_interfaces import ExecFrame, ExecSession, StreamRequest
from solovirt.server.lifetime import Lifetime

LINE_LIMIT = 4 * 1024 * 1024
"""Bytes of the request itself; stdin has no limit."""
PIECE = 64 * 1024
"""Bytes of output in one line."""


class StreamBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``env`` holds NAME=VALUE strings; ``timeoutSeconds`` 0: none."""

    command: list[str]
    env: list[str] = msgspec.field(default_factory=list)
    timeout_seconds: float = 0.0


async def _start(target: Target) -> ASGIApp:
    detach = parameters.flag(target.request, "detach")
    line, stdin = await _split(streams.chunks(target.request))
    body = typed(_parsed(line), StreamBody)
    known = guest_actions.ExecBody(command=body.command, env=body.env, timeout_seconds=body.timeout_seconds or 60.0)
    checked = guest_actions.exec_request(known)
    if detach and body.timeout_seconds:
        raise BadRequest("timeoutSeconds: nobody is there to see that a detached program ends", field="timeoutSeconds")
    request = StreamRequest(checked.command, checked.env, body.timeout_seconds, detach)
    services = target.services
    start = services.operations.guest_work.execs.start(target.namespace, target.name, request, stdin)
    session = await streams.unless_stopped(services.lifetime, start)
    if not detach:
        return ExecAnswer(session, services.lifetime)
    await session.close()
    return answer({"id": session.id})


async def _attach(target: Target) -> ASGIApp:
    services = target.services
    session = await services.operations.guest_work.execs.attach(target.namespace, target.name, _id(target))
    return ExecAnswer(session, services.lifetime)


async def _list(target: Target) -> Response:
    items = await target.services.operations.guest_work.execs.list(target.namespace, target.name)
    return answer({"items": [*items]})


async def _kill(target: Target) -> Response:
    signal = _signal(target.request.query_params.get("signal", ""))
    await target.services.operations.guest_work.execs.kill(target.namespace, target.name, _id(target), signal)
    return Response(status_code=200)


class ExecAnswer:
    """A session as an ASGI application; the session is closed at its end, however it ends."""

    def __init__(self, session: ExecSession, lifetime: Lifetime) -> None:
        self._session = session
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stopping = asyncio.Event()
        leaving = asyncio.create_task(streams.disconnected(receive))
        stopped = asyncio.create_task(_wait(stopping))
        try:
            headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-cache")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _send_line(send, {"id": self._session.id})
            with self._lifetime.ending(stopping.set):
                if await self._send_frames(send, leaving, stopped):
                    await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()
            stopped.cancel()
            await self._session.close()

    async def _send_frames(self, send: Send, leaving: asyncio.Task[None], stopped: asyncio.Task[None]) -> bool:
        """Whether the client is still there."""
        frames = self._session.frames()
        while True:
            coming = asyncio.create_task(_next(frames))
            try:
                await asyncio.wait((coming, leaving, stopped), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    if leaving.done():
                        return False
                    self._session.let_go()
                    await _send_line(send, {"detached": self._session.id})
                    return True
                frame = coming.result()
            except SolovirtError as error:
                self._session.let_go()
                said: JsonObject = {"message": error.message, "reason": error.reason, "hint": error.hint}
                await _send_line(send, {"error": said})
                return True
            finally:
                if not coming.done():
                    coming.cancel()
                    with contextlib.suppress(asyncio.CancelledError, SolovirtError):
                        await coming
            if frame is None:
                return True
            for line in _lines(frame):
                await _send_line(send, line)


async def _next(frames: AsyncIterator[ExecFrame]) -> ExecFrame | None:
    return await anext(frames, None)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _lines(frame: ExecFrame) -> list[JsonObject]:
    if frame.kind == "exit":
        return [{"exitCode": frame.exit_code, "timedOut": frame.timed_out}]
    pieces = [frame.data[start : start + PIECE] for start in range(0, len(frame.data), PIECE)]
    lines: list[JsonObject] = [{frame.kind: base64.b64encode(piece).decode()} for piece in pieces]
    return [*lines, {f"{frame.kind}Truncated": True}] if frame.cut else lines


async def _send_line(send: Send, value: JsonObject) -> None:
    await send({"type": "http.response.body", "body": json.encode(value) + b"\n", "more_body": True})


async def _split(body: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first line, and what comes after it."""
    head = bytearray()
    async for data in body:
        head += data
        if b"\n" in data or len(head) > LINE_LIMIT:
            break
    line, _, rest = bytes(head).partition(b"\n")
    if len(line) > LINE_LIMIT:
        raise BadRequest(f"the request's first line has more than {LINE_LIMIT} bytes")
    return line, _after(rest, body)


async def _after(rest: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if rest:
        yield rest
    async for data in body:
        yield data


def _parsed(line: bytes) -> JsonObject:
    value = bodies.from_json(line) if line.strip() else {}
    if not isinstance(value, dict):
        raise BadRequest("the first line of the body must be a JSON object")
    return value


def _id(target: Target) -> str:
    given = target.request.query_params.get("id", "")
    if not is_id(given):
        raise NotFound(f"no program {given[:64]!r} is known in {target.name}")
    return given


def _signal(name: str) -> Signal | None:
    wanted = name.upper().removeprefix("SIG")
    for signal in SIGNALS:
        if signal == wanted:
            return signal
    if wanted:
        raise BadRequest(f"signal: unknown signal {name[:32]!r}: one of {', '.join(SIGNALS)}", field="signal")
    return None


ACTIONS: Actions = {
    (VMIS, "exec"): {**guest_actions.ACTIONS[(VMIS, "exec")], "GET": _list, "DELETE": _kill},
    (VMIS, "exec", "stream"): {"POST": _start, "GET": _attach},
}
