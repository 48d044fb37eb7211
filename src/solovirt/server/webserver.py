"""uvicorn on sockets of our own, without its signal handling and its tick: an idle daemon sleeps."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

GRACE = 2
"""Seconds that requests under way have to end when the daemon stops; endless ones are ended by ``Lifetime``."""

MAX_MESSAGE = 1024 * 1024
"""Bytes of one WebSocket message from a client: console input."""


def _websocket(
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, object],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """uvicorn's WebSocket protocol, imported at the first upgrade: it costs 1.2 MiB, and most daemons never see one."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(config, server_state, app_state, _loop)


class WebServer(uvicorn.Server):
    """``serve(sockets=...)`` runs until ``stop``."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws=cast(type[asyncio.Protocol], _websocket),
                ws_max_size=MAX_MESSAGE,
                ws_per_message_deflate=False,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The daemon handles its signals itself; uvicorn would raise them again after its own shutdown."""
        yield

    async def main_loop(self) -> None:
        """uvicorn ticks ten times a second, for its Date header and to see a signal: neither is in use here."""
        await self.on_tick(0)
        await self._stopping.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    async def run_on(self, sockets: Sequence[socket.socket]) -> None:
        await self.serve(sockets=list(sockets))
