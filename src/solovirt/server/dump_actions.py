"""``memorydump`` and ``removememorydump`` (KubeVirt's); ``GET memorydump`` of a VMI (ours): its memory as a file.

``x-solovirt-memory`` is how many bytes of memory the guest has. An answer that breaks off has no last chunk; the VMI's
events say why. The guest stands still until all is read, so a client that stops to read loses its turn.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from solovirt.kit.errors import SolovirtError, TimedOut
from solovirt.server import bodies, streams
from solovirt.server.actions import VMIS, VMS, Actions, Target, options, typed
from solovirt.server.lifetime import Lifetime
from solovirt.server.machine_interfaces import MemoryStream

log = logging.getLogger(__name__)

STALL = 60.0
"""Seconds that a client may leave unread what waits for it."""


class DumpBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """VirtualMachineMemoryDumpRequest as virtctl sends it; only the claim is taken from it."""

    claim_name: str = ""
    phase: str = ""


async def _dump(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), DumpBody)
    await target.services.operations.dumps.request(target.namespace, target.name, body.claim_name)
    return Response(status_code=202)


async def _remove(target: Target) -> Response:
    await options(target, {})
    await target.services.operations.dumps.remove(target.namespace, target.name)
    return Response(status_code=202)


async def _get(target: Target) -> ASGIApp:
    services = target.services
    stack = AsyncExitStack()
    form = target.request.query_params.get("format", "elf")
    opening = stack.enter_async_context(services.operations.dumps.stream(target.namespace, target.name, form))
    return MemoryAnswer(await streams.unless_stopped(services.lifetime, opening), stack, services.lifetime)


class MemoryAnswer:
    """The dump as an ASGI application; ``stack`` holds it open."""

    def __init__(self, stream: MemoryStream, stack: AsyncExitStack, lifetime: Lifetime) -> None:
        self._stream = stream
        self._stack = stack
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(streams.disconnected(receive))
        try:
            async with self._stack:
                await self._until_over(send, leaving)
        except SolovirtError as error:
            # The client misses the end.
            log.warning("a memory dump broke off: %s", error)
        finally:
            leaving.cancel()

    async def _until_over(self, send: Send, leaving: asyncio.Task[None]) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving.add_done_callback(lambda _: sending.cancel())
        try:
            with self._lifetime.ending(lambda: _cancel(sending)):
                await asyncio.wait([sending])
            if not sending.cancelled() and (error := sending.exception()) is not None:
                raise error
        finally:
            sending.cancel()

    async def _send(self, send: Send) -> None:
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"x-solovirt-memory", b"%d" % self._stream.memory),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for data in self._stream.chunks:
            try:
                async with asyncio.timeout(STALL):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            except TimeoutError as error:
                raise TimedOut(f"whoever asked for the dump read nothing for {STALL:g} s") from error
        await send({"type": "http.response.body", "body": b""})


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


KUBEVIRT: Actions = {
    (VMS, "memorydump"): {"PUT": _dump},
    (VMS, "removememorydump"): {"PUT": _remove},
}

OWN: Actions = {(VMIS, "memorydump"): {"GET": _get}}
