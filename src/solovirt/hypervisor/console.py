"""The serial console of one instance, for one person at a time.

QEMU serves one client of its serial socket, so a new session has to end the old one. Both directions are bounded: a
guest that talks faster than the reader reads is held back by the socket, and ``write`` waits while the guest does not
take its input.
"""

from __future__ import annotations

import asyncio
import socket

from solovirt.kit.errors import Conflict

CHUNK = 64 * 1024


class ConsoleSession:
    """Raw bytes both ways. Made by ``Instance.open_console``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._closed = False

    @classmethod
    async def open(cls, connection: socket.socket) -> ConsoleSession:
        return cls(*await asyncio.open_unix_connection(sock=connection, limit=CHUNK))

    @property
    def is_open(self) -> bool:
        return not self._closed

    async def read(self) -> bytes:
        """The next bytes of the guest's output. b"" is the end: QEMU is gone, the session was closed or taken over."""
        if self._closed:
            return b""
        try:
            data = await self._reader.read(CHUNK)
        except OSError:
            data = b""
        return b"" if self._closed else data

    async def write(self, data: bytes) -> None:
        """Send input; waits while more than 64 KiB are on their way. Raises ``Conflict`` when the session has ended."""
        if self._closed or self._writer.is_closing():
            raise _ended()
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError as error:
            raise _ended() from error

    async def close(self) -> None:
        """End the session. It may be called at any time, and again."""
        self.end()

    def end(self) -> None:
        """As ``close``, at once: a reader sees the end, a writer fails, unsent input is dropped."""
        self._closed = True
        self._writer.transport.abort()


def _ended() -> Conflict:
    return Conflict("the console session has ended")
