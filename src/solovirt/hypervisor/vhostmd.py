"""The guest's way to ask for figures: vhostmd's requests on a virtio serial port.

A request is the line ``GET /metrics/XML`` and an empty one; the answer is a document that ends with an empty line
(vm-dump-metrics of vhostmd; kubevirt pkg/downwardmetrics/virtio-serial). The guest is not trusted: lines are bounded,
and it gets one answer a second. Must not know what the figures are.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

LINE_MAX = 1024
PAUSE = 1.0
"""Seconds between two answers."""
REQUEST = b"GET /metrics/XML"
INVALID = b"INVALID REQUEST\n\n"
_WRITE_LIMIT = 30.0
"""Seconds that a guest has to read an answer."""


async def serve(connection: socket.socket, document: Callable[[], Awaitable[bytes]], *, pause: float = PAUSE) -> None:
    """Answers until the other side hangs up or stops reading. Takes the connection over. Raises ``OSError``."""
    reader, writer = await asyncio.open_connection(sock=connection, limit=LINE_MAX)
    try:
        while (request := await _request(reader)) is not None:
            writer.write(await document() + b"\n" if request == REQUEST else INVALID)
            async with asyncio.timeout(_WRITE_LIMIT):
                await writer.drain()
            await asyncio.sleep(pause)
    except TimeoutError:
        return
    finally:
        writer.close()


async def _request(reader: asyncio.StreamReader) -> bytes | None:
    """The next request without its empty line; b"" for what is none; None at the end."""
    first = await _line(reader)
    if first is None:
        return None
    second = await _line(reader) if first else b""
    if second is None:
        return None
    return first if not second else b""


async def _line(reader: asyncio.StreamReader) -> bytes | None:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        await reader.read(max(error.consumed, 1))
        return b""
    return line.rstrip(b"\r\n")
