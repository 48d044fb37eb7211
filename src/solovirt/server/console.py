"""The serial console as a WebSocket, as KubeVirt's virt-api serves it.

Raw bytes in binary messages both ways, no channel prefix; text messages are ignored. Everything that can be refused is
refused before the upgrade, as a JSON Status: virtctl retries on 400 and shows the message of other codes.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from solovirt.api import registry
from solovirt.kit.errors import SolovirtError
from solovirt.server.call import Services
from solovirt.server.errors import failure_response
from solovirt.server.interfaces import ConsoleSession

log = logging.getLogger(__name__)

PROTOCOL = "plain.kubevirt.io"
BUFFER = 10240
"""Bytes of one message that we send, KubeVirt's."""


class Console:
    """The endpoint. ``namespace`` and ``name`` are path parameters."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        namespace, name = str(socket.path_params["namespace"]), str(socket.path_params["name"])
        try:
            session = await self._services.operations.open_console(namespace, name)
        except SolovirtError as error:
            resource = registry.VIRTUAL_MACHINE_INSTANCES
            await socket.send_denial_response(failure_response(error, resource, name))
            return
        try:
            offered = socket.scope.get("subprotocols", [])
            await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
            await self._serve(socket, session)
        finally:
            await session.close()

    async def _serve(self, socket: WebSocket, session: ConsoleSession) -> None:
        """Until either side ends, or the daemon does."""
        tasks = [asyncio.create_task(_from_guest(socket, session)), asyncio.create_task(_to_guest(socket, session))]
        stopping = asyncio.Event()
        tasks.append(asyncio.create_task(_wait(stopping)))
        try:
            with self._services.lifetime.ending(stopping.set):
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            _report(task)
        await _close(socket, 1001 if stopping.is_set() else 1000)


async def _from_guest(socket: WebSocket, session: ConsoleSession) -> None:
    while data := await session.read():
        for start in range(0, len(data), BUFFER):
            await socket.send_bytes(data[start : start + BUFFER])


async def _to_guest(socket: WebSocket, session: ConsoleSession) -> None:
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        data = message.get("bytes")
        if data:
            await session.write(data)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _report(task: asyncio.Task[None]) -> None:
    """An end that nobody asked for leaves a line in the log; a client that went away does not."""
    error = task.exception()
    if error is None or isinstance(error, (WebSocketDisconnect, OSError)):
        return
    if isinstance(error, SolovirtError):
        log.info("a console ended: %s", error)
    else:
        log.error("a console failed", exc_info=error)


async def _close(socket: WebSocket, code: int) -> None:
    if WebSocketState.DISCONNECTED in (socket.client_state, socket.application_state):
        return
    try:
        await socket.close(code)
    except (OSError, RuntimeError) as error:
        log.debug("closing a console: %s", error)
