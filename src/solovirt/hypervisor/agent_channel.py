"""One connection to the agent's socket: an asyncio shell around :mod:`solovirt.hypervisor.agent_wire`.

One exchange at a time. While nothing is asked for, what the guest sends is dropped, and a guest that goes on sending
is no longer read.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import cast

from solovirt.hypervisor.agent_wire import ReplyReader, WireError, request, sync_request
from solovirt.kit.errors import GuestError
from solovirt.kit.json import JsonObject

UNASKED_LIMIT = 64 * 1024
"""Bytes that a guest may send without being asked before we stop reading."""


class AgentChannel(asyncio.Protocol):
    """Made by :meth:`open`. ``is_open`` is False once either side has closed it."""

    def __init__(self) -> None:
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[JsonObject] | None = None
        self._unasked = 0
        self._sync_id = secrets.randbelow(2**30)

    @classmethod
    async def open(cls, connection: socket.socket) -> AgentChannel:
        _, channel = await asyncio.get_running_loop().create_unix_connection(cls, sock=connection)
        return channel

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def exchange(
        self, command: str, arguments: JsonObject | None, *, limit: int, silence_after: float | None = None
    ) -> JsonObject:
        """Send one command and give back its reply (``return`` or ``error`` still inside), of at most ``limit`` bytes.

        With ``silence_after``, no answer within so many seconds, or a hang-up after sending, counts as an empty
        ``return``. Raises ``GuestError`` reason "AgentNotConnected" (hung up) or "AgentBadReply". After a failure or
        cancellation the next call finds the way back by itself; a late reply is not mistaken for another's.
        """
        try:
            if not self._reader.in_sync:
                await self._synchronise()
            self._reader.limit = limit
            data = request(command, arguments)
            return await (self._ask(data) if silence_after is None else self._ask_in_vain(data, silence_after))
        except BaseException:
            self._give_up()
            raise

    def close(self) -> None:
        """Hang up at once; an exchange under way fails with "AgentNotConnected"."""
        if self._transport is not None:
            self._transport.abort()
            self._lost()

    async def _synchronise(self) -> None:
        """guest-sync-delimited, sent again after 1, 3, 7, ... s: an agent that was just starting may have lost one."""
        patience = 1.0
        while not self._reader.in_sync:
            self._sync_id = (self._sync_id + 1) % 2**31
            self._reader.start_sync(self._sync_id)
            try:
                async with asyncio.timeout(patience):
                    await self._ask(sync_request(self._sync_id))
            except TimeoutError:
                patience *= 2

    async def _ask_in_vain(self, data: bytes, patience: float) -> JsonObject:
        try:
            async with asyncio.timeout(patience):
                return await self._ask(data)
        except TimeoutError:
            pass
        except GuestError as error:
            if error.reason != "AgentNotConnected":
                raise
        self._give_up()
        return {"return": {}}

    async def _ask(self, data: bytes) -> JsonObject:
        """Send, and wait for a reply; a sync that was answered gives an empty one."""
        if self._transport is None:
            raise _hung_up()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            self._unasked = 0
            self._transport.resume_reading()
            self._transport.write(data)
            return await self._waiter
        finally:
            self._waiter = None

    def _give_up(self) -> None:
        self._reader.lose_sync()
        if self._transport is not None and self._transport.get_write_buffer_size():
            # The guest does not read. What is unsent would reach it as a torn or outdated command.
            self.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self._drop(len(data))
            return
        was_in_sync = self._reader.in_sync
        try:
            replies = self._reader.feed(data)
        except WireError as error:
            self._waiter.set_exception(GuestError(str(error), reason="AgentBadReply"))
            return
        if not was_in_sync and self._reader.in_sync:
            self._waiter.set_result({})
        elif replies:
            self._waiter.set_result(replies[0])
        if len(replies) > (1 if was_in_sync else 0):
            self._reader.lose_sync()  # more answers than questions

    def _drop(self, size: int) -> None:
        self._reader.lose_sync()
        self._unasked += size
        if self._unasked > UNASKED_LIMIT and self._transport is not None:
            self._transport.pause_reading()

    def _lost(self) -> None:
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(_hung_up())


def _hung_up() -> GuestError:
    return GuestError("the guest agent's channel was closed", reason="AgentNotConnected")
