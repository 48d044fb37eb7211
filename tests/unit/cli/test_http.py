from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli import http
from solovirt.kit.errors import Unavailable


def against(answer: bytes) -> tuple[Callable[[], socket.socket], list[bytes]]:
    """A connect function whose peer reads one request's head and sends ``answer``."""
    ours, theirs = socket.socketpair()
    seen: list[bytes] = []

    def peer() -> None:
        with theirs:
            seen.append(theirs.recv(65536))
            theirs.sendall(answer)

    threading.Thread(target=peer, daemon=True).start()
    return lambda: ours, seen


def exchange(answer: bytes) -> http.Response:
    connect, _ = against(answer)
    return http.request(connect, "GET", "/x", headers={"Host": "h"})


def test_sized_body() -> None:
    response = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y: z\r\n\r\nhello")
    assert (response.status, response.headers["x-y"], response.read()) == (200, "z", b"hello")
    response.close()


def test_interim_answers_are_skipped() -> None:
    response = exchange(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
    assert (response.status, response.read()) == (201, b"")
    response.close()


@settings(max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6))
def test_chunked_body_is_what_was_sent(parts: list[bytes]) -> None:
    body = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in parts) + b"0\r\n\r\n"
    response = exchange(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert response.read() == b"".join(parts)
    response.close()


def test_lines_join_chunks() -> None:
    response = exchange(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n3\r\nc\nd\r\n0\r\n\r\n")
    assert list(response.lines()) == [b"a", b"bc", b"d"]
    response.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_a_body_cut_short_is_an_error(answer: bytes) -> None:
    response = exchange(answer)
    with pytest.raises(Unavailable, match="in the middle"):
        response.read()
    response.close()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n"])
def test_not_http(answer: bytes) -> None:
    with pytest.raises(Unavailable, match="HTTP"):
        exchange(answer)


def test_request_head() -> None:
    connect, seen = against(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    http.request(connect, "POST", "/p?q=1", headers={"Host": "h"}, body=b"{}").close()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /p?q=1 HTTP/1.1"
    assert b"Content-Length: 2" in head
    assert body == b"{}"


@pytest.mark.parametrize("size", [None, 5])
def test_a_body_in_pieces(size: int | None) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        pieces = iter([b"abc", b"", b"de"])
        http.request(
            lambda: ours, "PUT", "/x", headers={"Host": "h"}, body=b"{}\n", upload=pieces, upload_size=size
        ).close()
        head, _, body = theirs.recv(65536).partition(b"\r\n\r\n")
        assert (b"Content-Length: 8" in head) == (size is not None)
        assert (b"Transfer-Encoding: chunked" in head) == (size is None)
        assert body == (b"{}\nabcde" if size else b"3\r\n{}\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def test_a_body_that_fails_closes_the_connection() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"abc"
        raise ValueError("mine")

    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(ValueError, match="mine"):
        http.request(lambda: ours, "PUT", "/x", headers={}, upload=pieces(), upload_size=9)
    assert ours.fileno() == -1


def test_line_breaks_cannot_be_smuggled_into_the_head() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Unavailable, match="line break"):
        http.request(lambda: ours, "GET", "/x\r\nEvil: 1", headers={})
