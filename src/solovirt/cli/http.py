"""HTTP/1.1 over one stream socket: what the CLI needs of it and no more.

``http.client`` would cost 18 ms of every command; this costs none. Requests carry a whole body with Content-Length, or
one in pieces; answers may have a Content-Length, be chunked, or end with the connection. It must not know Kubernetes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import BinaryIO

from solovirt.kit.errors import TimedOut, Unavailable

MAX_HEADER = 65536


class Response:
    """Status line and headers (names in lower case) of one answer; ``read`` or ``chunks`` give the body.

    ``deadline`` (time.monotonic) may be set at any time: reading the body raises TimedOut when it has passed.
    """

    def __init__(self, status: int, headers: Mapping[str, str], stream: BinaryIO, sock: socket.socket) -> None:
        self.status = status
        self.headers = headers
        self.deadline: float | None = None
        self._stream = stream
        self._socket = sock

    def chunks(self) -> Iterator[bytes]:
        """The body as it arrives. Raises Unavailable when the server goes away in the middle."""
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                yield from self._chunked()
            elif (length := self.headers.get("content-length")) is not None:
                yield from self._sized(int(length))
            else:
                while data := self._stream.read(65536):
                    yield data
        except TimeoutError:
            raise TimedOut("the server's answer did not end in time") from None
        except OSError as error:
            raise broken(error) from error
        except ValueError as error:
            raise Unavailable(f"the server's answer is not HTTP: {error}") from error

    def read(self) -> bytes:
        """All of the body; the connection is closed then, also when it broke."""
        try:
            return b"".join(self.chunks())
        finally:
            self.close()

    def lines(self) -> Iterator[bytes]:
        """Lines of a streamed body without their newline; an unfinished last line is given too."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _arm(self) -> None:
        if self.deadline is not None:
            # Not 0, which would mean "do not block".
            self._socket.settimeout(max(self.deadline - time.monotonic(), 0.001))

    def _sized(self, length: int) -> Iterator[bytes]:
        while length > 0:
            data = self._stream.read(min(length, 1 << 20))
            if not data:
                raise Unavailable("the server closed the connection in the middle of an answer")
            length -= len(data)
            yield data

    def _chunked(self) -> Iterator[bytes]:
        while True:
            self._arm()
            line = self._stream.readline(MAX_HEADER)
            if not line:
                raise Unavailable("the server closed the connection in the middle of an answer")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                return
            yield from self._sized(size)
            self._stream.readline(MAX_HEADER)


def request(
    connect: Callable[[], socket.socket],
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    upload: Iterable[bytes] | None = None,
    upload_size: int | None = None,
) -> Response:
    """Send one request on a new connection and read the answer's head. ``upload`` comes after ``body``, piece by piece;
    ``upload_size`` None: it has no known end.

    Raises Unavailable when the server cannot be reached or does not speak HTTP.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "Connection: close"]
    if upload is not None and upload_size is None:
        lines.append("Transfer-Encoding: chunked")
    elif upload is not None:
        lines.append(f"Content-Length: {len(body or b'') + (upload_size or 0)}")
    elif body is not None or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body or b'')}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    if any("\r" in line or "\n" in line for line in lines):
        raise Unavailable("a request line or header contains a line break")
    sock = connect()
    try:
        if upload is None:
            sock.sendall(head.encode("latin-1", "replace") + (body or b""))
        else:
            sock.sendall(head.encode("latin-1", "replace"))
            _send(sock, chain((body or b"",), upload), chunked=upload_size is None)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer may still be readable: a server may refuse before it has read the body
    except BaseException:
        sock.close()
        raise
    stream = sock.makefile("rb")
    try:
        status, answer_headers = _read_head(stream)
        while status == 100:
            status, answer_headers = _read_head(stream)
    except OSError as error:
        stream.close()
        sock.close()
        raise broken(error) from error
    except BaseException:
        stream.close()
        sock.close()
        raise
    return Response(status, answer_headers, stream, sock)


def _send(sock: socket.socket, pieces: Iterable[bytes], *, chunked: bool) -> None:
    for piece in pieces:
        if piece:
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        sock.sendall(b"0\r\n\r\n")


def broken(error: OSError) -> Unavailable:
    """TLS 1.3 tells a client only here that its certificate is missing or refused."""
    reason = str(getattr(error, "reason", "")).replace("_", " ").lower()
    hint = "give --client-certificate and --client-key" if "certificate" in reason else ""
    return Unavailable(f"the connection to the server broke: {reason or error.strerror or error}", hint=hint)


def _read_head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    line = stream.readline(MAX_HEADER)
    if not line:
        raise Unavailable("the server closed the connection without an HTTP answer")
    parts = line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise Unavailable("the server did not answer with HTTP")
    headers: dict[str, str] = {}
    while (line := stream.readline(MAX_HEADER)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(parts[1]), headers
