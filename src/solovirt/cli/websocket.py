"""A WebSocket client over a connected socket, for one thread: the caller selects on it together with its own input.

TLS is already on the socket, and one thread alone reads and writes it: OpenSSL wants no two threads in one connection.
It must not know what the messages mean.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from solovirt.kit.errors import SolovirtError, Unavailable

HANDSHAKE_TIMEOUT = 30.0
CHUNK = 65536
UNSENT = 256 * 1024
"""Bytes that may wait for a slow server before ``full`` asks the caller to hold back."""
NORMAL = 1000


class Refused(SolovirtError):
    """The server answered the upgrade with something else: its status code and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the server answered {status}")
        self.status, self.body = status, body


class WebSocket:
    """An open connection. ``receive`` and ``flush`` never block."""

    def __init__(
        self, connected: socket.socket, authority: str, path: str, protocol: str, headers: Mapping[str, str]
    ) -> None:
        """Do the handshake; the socket is ours from now on. Raises Refused or Unavailable, and has closed it then."""
        self._socket = connected
        self._unsent = b""
        secure = isinstance(connected, ssl.SSLSocket)
        self._protocol = ClientProtocol(
            WebSocketURI(secure, authority, 0, path, "", None, None),
            subprotocols=[Subprotocol(protocol)],
            max_size=None,
        )
        try:
            connected.settimeout(HANDSHAKE_TIMEOUT)
            self._shake_hands(authority, headers)
            connected.settimeout(0)
        except OSError as error:
            connected.close()
            raise Unavailable(f"the connection to the server broke: {error}") from error
        except BaseException:
            connected.close()
            raise

    def _shake_hands(self, authority: str, headers: Mapping[str, str]) -> None:
        request = self._protocol.connect()
        del request.headers["Host"]
        request.headers.update({"Host": authority, **headers})
        self._protocol.send_request(request)
        self._socket.sendall(b"".join(self._protocol.data_to_send()))
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if data := self._socket.recv(CHUNK):
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
        failure = self._protocol.handshake_exc
        if isinstance(failure, InvalidStatus):
            raise Refused(failure.response.status_code, bytes(failure.response.body or b""))
        if isinstance(failure, InvalidMessage | InvalidHandshake):
            raise Unavailable(f"the server does not speak WebSocket: {failure}")
        if failure is not None:
            raise Unavailable(f"the WebSocket handshake failed: {failure}")

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def full(self) -> bool:
        return len(self._unsent) > UNSENT

    @property
    def wants_to_write(self) -> bool:
        return bool(self._unsent)

    @property
    def closed(self) -> bool:
        """No more messages will come."""
        return self._protocol.state is State.CLOSED or self._protocol.close_expected()

    @property
    def close_code(self) -> int:
        """What the server gave as the reason; 1006 when it just went away (RFC 6455, 7.4.1)."""
        said = self._protocol.close_rcvd
        return said.code if said is not None else 1006

    def send(self, data: bytes) -> None:
        """A binary message. Nothing happens when the connection has ended."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
            self.flush()

    def flush(self) -> None:
        """Write what the socket takes."""
        self._unsent += b"".join(self._protocol.data_to_send())
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                # The end shows in what is read; what could not be said is lost with the connection.
                self._unsent = b""
                return
            self._unsent = self._unsent[sent:]

    def receive(self) -> bytes:
        """What has come since, of all messages together; b"" when there is nothing, or when it is ``closed``."""
        while True:
            try:
                data = self._socket.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError:
                data = b""
            if not data:
                self._protocol.receive_eof()
                break
            self._protocol.receive_data(data)
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                break
        parts = [
            event.data
            for event in self._protocol.events_received()
            if isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)
        ]
        self.flush()
        return b"".join(map(bytes, parts))

    def close(self) -> None:
        """Say goodbye as far as the socket takes it at once."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(NORMAL)
            self.flush()
        self._socket.close()
