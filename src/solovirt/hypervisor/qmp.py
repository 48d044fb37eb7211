"""QMP: the ``qemu.qmp`` library behind a small typed face.

One ``Qmp`` is one negotiated connection. Replies come back as JSON values or as errors of ours; events go to a callback
in the order in which QEMU sent them, between replies. It must not know instances.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from typing import cast

from qemu.qmp import ConnectError, EventListener, ExecuteError, Message, QMPClient, QMPError, Runstate
from qemu.qmp.qmp_client import ExecInterruptedError

from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, TimedOut, Unavailable
from solovirt.kit.json import Json, JsonObject, get_str
from solovirt.kit.text import printable

REPLY_LIMIT = 8 * 1024 * 1024
"""Bytes of one QMP message. query-qmp-schema of QEMU 7.2, the largest reply that we know of, is 0.2 MB."""

log = logging.getLogger(__name__)

EventHandler = Callable[[JsonObject], None]

# Whatever it would log also reaches us as an exception, and we know whether it was expected.
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)


class Qmp:
    """A connection to one QEMU's monitor. ``await connect()`` makes it; ``closed`` is set when it is gone."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._handing_over = asyncio.Lock()
        self.closed = asyncio.Event()
        self._watcher = asyncio.create_task(self._watch())

    @classmethod
    async def connect(cls, connection: socket.socket, on_event: EventHandler, *, timeout: float) -> Qmp:
        """Negotiate on a connected socket (which is ours from here on). ``on_event`` must not raise or block.

        Raises ``Unavailable`` when the other side hangs up or does not speak QMP, ``TimedOut``.
        """
        client = _Client(on_event)
        try:
            async with asyncio.timeout(timeout):
                await client.connect(connection)
        except TimeoutError as error:
            raise TimedOut(f"QEMU did not greet within {timeout:g} s") from error
        except ConnectError as error:
            raise Unavailable(f"QEMU did not greet: {printable(str(error.exc) or type(error.exc).__name__)}") from error
        finally:
            if client.runstate is not Runstate.RUNNING:
                connection.close()
        return cls(client)

    async def execute(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json:
        """The command's return value. Raises ``GuestError`` with QEMU's class as reason and QEMU's text as message,
        ``Unavailable`` when the connection is or gets lost, ``TimedOut`` when no reply came (it may still take effect).
        """
        try:
            async with asyncio.timeout(timeout):
                return cast(Json, await self._client.execute(command, arguments))
        except ExecuteError as error:
            raise GuestError(printable(str(error)), reason=printable(error.error_class, 64)) from error
        except TimeoutError as error:
            raise TimedOut(f"QEMU did not answer {command} within {timeout:g} s") from error
        except ExecInterruptedError as error:
            raise Unavailable(f"QEMU closed its monitor during {command}") from error
        except QMPError as error:
            raise Unavailable(f"QEMU's monitor is not connected: {printable(str(error))}") from error

    async def hand_over(self, descriptor: int, command: str, arguments: JsonObject | None = None) -> Json:
        """Passes a descriptor (ours stays open) to the command that takes it: ``getfd`` or ``add-fd``; its reply.

        Raises as ``execute``; ``GuestError``, too, when the connection is none over which descriptors go.
        """
        # QEMU keeps the last descriptor that came until a command takes it.
        async with self._handing_over:
            try:
                await self._client.pass_descriptor(descriptor)
            except (OSError, QMPError) as error:
                raise Unavailable(f"QEMU's monitor took no file: {printable(str(error))}") from error
            return await self.execute(command, arguments)

    async def query_status(self) -> RunState:
        reply = await self.execute("query-status")
        return RunState.parse(get_str(reply, "status")) if isinstance(reply, dict) else RunState.UNKNOWN

    async def query_uuid(self) -> str:
        """The machine's UUID in lower case; "" if QEMU's answer makes no sense."""
        reply = await self.execute("query-uuid")
        return get_str(reply, "UUID").lower() if isinstance(reply, dict) else ""

    async def disconnect(self) -> None:
        """Let go of the connection; QEMU goes on. Never raises for what the other side did."""
        if self._client.runstate is Runstate.RUNNING:
            self._watcher.cancel()  # otherwise it is hanging up already, and to be let finish
        await asyncio.wait((self._watcher,))
        await self._hang_up()

    async def _watch(self) -> None:
        while self._client.runstate is Runstate.RUNNING:
            await self._client.runstate_changed()
        await self._hang_up()

    async def _hang_up(self) -> None:
        try:
            if self._client.runstate is not Runstate.IDLE:
                await self._client.disconnect()
        except (EOFError, OSError, QMPError):
            pass  # how the connection ended, told at last
        except Exception:
            # The reader met something that it was not made for: a message over the limit, or a hostile one.
            log.warning("QEMU's monitor broke the protocol", exc_info=True)
        finally:
            self.closed.set()


class _Listener(EventListener):
    """Hands events over as they come. It accepts none, so that the library queues and remembers none."""

    def __init__(self, handler: EventHandler) -> None:
        super().__init__()
        self._handler = handler

    def accept(self, event: Message) -> bool:
        self._handler(cast(JsonObject, dict(event)))
        return False


class _Client(QMPClient):
    def __init__(self, handler: EventHandler) -> None:
        super().__init__(readbuflen=REPLY_LIMIT)
        self._mark = secrets.token_hex(8)
        self.events.event_filter = lambda _event: False
        self.register_listener(_Listener(handler))

    async def pass_descriptor(self, descriptor: int) -> None:
        """The byte that carries it must not come amid a message: what the transport still holds goes first."""
        writer = self._writer
        while writer is not None and writer.transport.get_write_buffer_size():
            await asyncio.sleep(0.005)
        self.send_fd_scm(descriptor)

    def _get_exec_id(self) -> str:
        return self._mark + super()._get_exec_id()

    async def _do_recv(self) -> Message:
        """QEMU gives the reply to a command of a client that died meanwhile to the next one: that is not for us."""
        while True:
            message = await super()._do_recv()
            number = message.get("id")
            if not isinstance(number, str) or number.startswith(self._mark):
                return message

    # The inherited hooks format every message for a debug log, also when nobody reads it.
    def _cb_inbound(self, msg: Message) -> Message:
        return msg

    def _cb_outbound(self, msg: Message) -> Message:
        return msg
