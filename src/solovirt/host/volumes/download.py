"""One file over http or https into a local file: bounded, checksummed, unpacked on the way. Blocks.

The server is untrusted: sizes are capped while bytes arrive, redirects may only lead to http and https, gzip and xz are
unpacked with bounded memory. Knows nothing of claims or formats of disks.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import lzma
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

import msgspec

from solovirt.host.images.files import SparseWriter
from solovirt.host.images.threads import Checkpoint
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.text import printable

_TIMEOUT = 60.0
_CHUNK = 1 << 20
_XZ_MEMORY = 256 << 20
_ALGORITHMS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\0"
_PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"PK\x03\x04": "zip"}


class Checksum(msgspec.Struct, frozen=True):
    """``hexdigest`` of the bytes as they come from the server."""

    algorithm: str
    hexdigest: str


def parse_checksum(text: str, field: str = "") -> Checksum | None:
    """``sha256:<hex>`` (CDI's form; also sha512, sha1, md5). Raises ``Invalid``."""
    if not text:
        return None
    algorithm, _, digest = text.partition(":")
    length = _ALGORITHMS.get(algorithm)
    if length is None or not re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", digest):
        known = ", ".join(_ALGORITHMS)
        raise Invalid(f"{field}: {text[:80]!r} is not ALGORITHM:HEX with one of {known}", field=field)
    return Checksum(algorithm, digest.lower())


def check_url(url: str, field: str = "") -> None:
    """Raises ``Invalid`` for anything but http and https with a host and no control characters or password."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid(f"{field}: {url[:200]!r} is not a URL: {error}", field=field) from error
    if parts.username is not None or parts.password is not None:
        raise Invalid(f"{field}: a user name or password in the URL is not supported", field=field)
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise Invalid(f"{field}: {url[:200]!r} is not an http or https URL", field=field)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 10

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.URLError(f"redirected to {newurl[:100]!r}, which is neither http nor https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Wire:
    """The connections of one download, so that another thread can end a read that waits for a silent server."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._cut = False

    def add(self, connected: socket.socket) -> None:
        self._sockets.append(connected)
        if self._cut:
            self.cut()

    def cut(self) -> None:
        self._cut = True
        for connected in self._sockets:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


class _Plain(http.client.HTTPConnection):
    def __init__(self, wire: Wire, host: str, *, timeout: float) -> None:
        super().__init__(host, timeout=timeout)
        self._wire = wire

    def connect(self) -> None:
        super().connect()
        self._wire.add(self.sock)


class _Secure(http.client.HTTPSConnection):
    def __init__(self, wire: Wire, insecure: bool, host: str, *, timeout: float) -> None:
        trust = ssl.create_default_context()
        if insecure:
            trust.check_hostname = False
            trust.verify_mode = ssl.CERT_NONE
        super().__init__(host, timeout=timeout, context=trust)
        self._wire = wire

    def connect(self) -> None:
        super().connect()
        self._wire.add(self.sock)


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def __init__(self, wire: Wire, insecure: bool) -> None:
        super().__init__()
        self._wire = wire
        self._insecure = insecure

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Plain, self._wire), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Secure, self._wire, self._insecure), req)


def _opener(wire: Wire, *, insecure: bool) -> urllib.request.OpenerDirector:
    """Without urllib's file:, ftp: and data: handlers."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Handler(wire, insecure),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


class _Unpacker(Protocol):
    def feed(self, data: bytes, sink: Callable[[bytes], None]) -> None: ...

    def end(self, sink: Callable[[bytes], None]) -> None: ...


class _Copy:
    def feed(self, data: bytes, sink: Callable[[bytes], None]) -> None:
        sink(data)

    def end(self, sink: Callable[[bytes], None]) -> None:
        return


class _Gzip:
    """Also several members one after the other, as ``gzip`` and ``pigz`` write them."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes, sink: Callable[[bytes], None]) -> None:
        while data:
            if self._inner.eof:
                if not data.strip(b"\0"):
                    return
                self._inner = zlib.decompressobj(wbits=31)
            sink(self._inner.decompress(data, _CHUNK))
            data = self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail

    def end(self, sink: Callable[[bytes], None]) -> None:
        while not self._inner.eof:
            # All input can be taken while some output is still due.
            rest = self._inner.decompress(b"", _CHUNK)
            if not rest and not self._inner.eof:
                raise EOFError("the gzip data ends too early")
            sink(rest)


class _Lzma:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def feed(self, data: bytes, sink: Callable[[bytes], None]) -> None:
        while True:
            if self._inner.eof:
                rest = self._inner.unused_data + data
                if not rest.strip(b"\0"):
                    return
                self._inner = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
                data = rest.lstrip(b"\0")
            sink(self._inner.decompress(data, _CHUNK))
            data = b""
            if self._inner.needs_input:
                return

    def end(self, sink: Callable[[bytes], None]) -> None:
        if not self._inner.eof:
            raise EOFError("the xz data ends too early")


def _unpacker(head: bytes) -> _Unpacker:
    if head.startswith(_GZIP):
        return _Gzip()
    if head.startswith(_XZ):
        return _Lzma()
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise HostError(f"the file is compressed with {name}; only gzip and xz are unpacked", reason="InvalidImage")
    return _Copy()


def download(
    url: str,
    target: Path,
    *,
    limit: int,
    checksum: Checksum | None,
    checkpoint: Checkpoint,
    progress: Callable[[int, int | None], None],
    wire: Wire | None = None,
    extra: Sequence[str] = (),
    insecure: bool = False,
) -> int:
    """Fetches into the new file ``target`` and returns its size after unpacking.

    ``limit`` bounds what arrives and what it unpacks to; ``progress`` gets (bytes arrived, bytes expected or None).
    ``wire.cut()`` ends it from outside. ``extra`` are headers ("Name: value") for every request; ``insecure`` takes any
    certificate.
    Raises ``HostError`` (``ImportFailed``, ``ImportTooLarge``, ``ChecksumMismatch``), ``OSError`` of the local file.
    """
    check_url(url)
    request = urllib.request.Request(url, headers={"User-Agent": "solovirt", "Accept-Encoding": "identity"})
    for header in extra:
        name, _, value = header.partition(":")
        request.add_header(name, value.strip())
    try:
        with _opener(wire or Wire(), insecure=insecure).open(request, timeout=_TIMEOUT) as response:
            with SparseWriter(target) as writer:
                _receive(response, writer, limit, checksum, checkpoint, progress)
                writer.commit()
            return writer.size
    except urllib.error.HTTPError as error:
        with error:
            raise _failed(url, f"the server answered {error.code} {error.reason}") from error
    except (TimeoutError, ConnectionError, urllib.error.URLError, http.client.HTTPException, ssl.SSLError) as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        raise _failed(url, str(why) or type(why).__name__) from error
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise _failed(url, f"damaged compressed data: {error}") from error


def _failed(url: str, why: str) -> HostError:
    parts = urllib.parse.urlsplit(url)
    # Without user and password, which may stand before the host.
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return HostError(f"importing {printable(shown, 200)}: {printable(why, 300)}", reason="ImportFailed")


def _receive(
    response: http.client.HTTPResponse,
    writer: SparseWriter,
    limit: int,
    checksum: Checksum | None,
    checkpoint: Checkpoint,
    progress: Callable[[int, int | None], None],
) -> None:
    expected = _length(response.headers.get("Content-Length"))
    digest = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
    arrived = 0
    unpacker: _Unpacker | None = None

    def sink(data: bytes) -> None:
        checkpoint()
        if writer.size + len(data) > limit:
            raise too_large(limit)
        writer.write(data)

    if expected is not None and expected > limit:
        raise too_large(limit)
    while data := response.read(_CHUNK):
        checkpoint()
        arrived += len(data)
        if arrived > limit:
            raise too_large(limit)
        if digest is not None:
            digest.update(data)
        if unpacker is None:
            unpacker = _unpacker(data)
        unpacker.feed(data, sink)
        progress(arrived, expected)
    if expected is not None and arrived < expected:
        raise ConnectionError(f"the connection ended after {arrived} of {expected} bytes")
    if unpacker is not None:
        unpacker.end(sink)
    if digest is not None and checksum is not None and digest.hexdigest() != checksum.hexdigest:
        text = f"{checksum.algorithm} is {digest.hexdigest()}, but {checksum.hexdigest} was expected"
        raise HostError(text, reason="ChecksumMismatch")


def _length(header: str | None) -> int | None:
    return int(header) if header is not None and re.fullmatch(r"[0-9]{1,18}", header) else None


def too_large(limit: int) -> HostError:
    return HostError(
        f"image is larger than the reported available storage {limit}. A larger PVC is required",
        reason="ImportTooLarge",
    )
