from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from solovirt.cli.websocket import Refused, WebSocket
from solovirt.kit.errors import Unavailable


class Server:
    """The other end: a handshake in a thread, then the protocol in the test's hands."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.protocol = ServerProtocol(subprotocols=[Subprotocol("plain")], max_size=None)
        self.request = b""

    def accept(self) -> None:
        self.request = self.theirs.recv(65536)
        self.protocol.receive_data(self.request)
        (request,) = self.protocol.events_received()
        self.protocol.send_response(self.protocol.accept(request))  # type: ignore[arg-type]
        self.flush()

    def flush(self) -> None:
        self.theirs.sendall(b"".join(self.protocol.data_to_send()))

    def answer(self, data: bytes) -> None:
        self.theirs.recv(65536)
        self.theirs.sendall(data)
        self.theirs.shutdown(socket.SHUT_WR)

    def connect(self, answering: Callable[[], None]) -> WebSocket:
        thread = threading.Thread(target=answering)
        thread.start()
        try:
            return WebSocket(self.ours, "host:1", "/p/console", "plain", {"Authorization": "Bearer t"})
        finally:
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with made.ours, made.theirs:
        yield made


def received(connection: WebSocket, size: int) -> bytes:
    data = b""
    while len(data) < size and not connection.closed:
        select.select([connection], [], [], 5)
        data += connection.receive()
    return data


def test_handshake(server: Server) -> None:
    server.connect(server.accept)
    head = server.request.decode()
    assert head.startswith("GET /p/console HTTP/1.1\r\n")
    assert head.count("Host:") == 1 and "Host: host:1\r\n" in head
    assert "Authorization: Bearer t\r\n" in head
    assert "Sec-WebSocket-Protocol: plain\r\n" in head


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=5))
def test_bytes_both_ways(messages: list[bytes]) -> None:
    server = Server()
    with server.ours, server.theirs:
        connection = server.connect(server.accept)
        for message in messages:
            server.protocol.send_binary(message)
        server.flush()
        assert received(connection, len(b"".join(messages))) == b"".join(messages)
        for message in messages:
            connection.send(message)
        got = b""
        while len(got) < len(b"".join(messages)):
            server.protocol.receive_data(server.theirs.recv(65536))
            got += b"".join(bytes(e.data) for e in server.protocol.events_received())  # type: ignore[union-attr]
        assert got == b"".join(messages)
        connection.close()


def test_what_came_with_the_handshake_is_there(server: Server) -> None:
    def accept() -> None:
        server.theirs.settimeout(60)
        server.protocol.receive_data(server.theirs.recv(65536))
        (request,) = server.protocol.events_received()
        server.protocol.send_response(server.protocol.accept(request))  # type: ignore[arg-type]
        server.protocol.send_binary(b"at once")
        server.flush()

    assert server.connect(accept).receive() == b"at once"


def test_the_servers_end(server: Server) -> None:
    connection = server.connect(server.accept)
    server.protocol.send_binary(b"bye")
    server.protocol.send_close(1000)
    server.flush()
    assert received(connection, 10) == b"bye"
    assert (connection.closed, connection.close_code) == (True, 1000)
    connection.send(b"too late")


def test_a_server_that_just_goes(server: Server) -> None:
    connection = server.connect(server.accept)
    server.theirs.close()
    assert received(connection, 1) == b""
    assert (connection.closed, connection.close_code) == (True, 1006)
    connection.close()


def test_nothing_to_read_does_not_block(server: Server) -> None:
    connection = server.connect(server.accept)
    assert connection.receive() == b""
    assert not connection.closed


def test_a_slow_server_holds_us_back(server: Server) -> None:
    connection = server.connect(server.accept)
    while not connection.full:
        connection.send(b"x" * 65536)
    assert connection.wants_to_write
    server.theirs.settimeout(0)
    while connection.wants_to_write:
        try:
            server.theirs.recv(1 << 20)
        except BlockingIOError:
            pass
        connection.flush()
    assert not connection.full


def test_refused(server: Server) -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"
    with pytest.raises(Refused) as caught:
        server.connect(lambda: server.answer(answer))
    assert (caught.value.status, caught.value.body) == (400, b"no")
    assert server.ours.fileno() == -1


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n"]
)
def test_not_a_websocket(server: Server, answer: bytes) -> None:
    with pytest.raises(Unavailable, match="WebSocket"):
        server.connect(lambda: server.answer(answer))
    assert server.ours.fileno() == -1
