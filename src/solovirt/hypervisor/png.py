"""PNG pictures as far as screens need them: what an untrusted writer left, checked; PPM made into PNG. Pure.

Source: the PNG specification (W3C), 5 and 11.2; ppm(5).
"""

from __future__ import annotations

import re
import struct
import zlib

from solovirt.kit.errors import GuestError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST = 16384
"""Pixels of a side: no display adapter has more."""
MOST_CHUNKS = 65536
"""QEMU writes 8 KiB of a picture in each."""

_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBBBBB")
_PPM = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s")


def checked(data: bytes) -> bytes:
    """The one picture at the beginning of ``data``; what follows it is cut off.

    Every chunk must be whole with its checksum, IHDR the first, IEND the last. Raises ``GuestError``.
    """
    if not data.startswith(SIGNATURE):
        raise _broken("it is no PNG")
    place = len(SIGNATURE)
    first = True
    for _ in range(MOST_CHUNKS):
        if place + _CHUNK.size > len(data):
            raise _broken("it breaks off")
        length, kind = _CHUNK.unpack_from(data, place)
        end = place + _CHUNK.size + length
        if end + 4 > len(data):
            raise _broken("it breaks off")
        if zlib.crc32(memoryview(data)[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise _broken("a checksum is wrong")
        if first:
            _check_header(kind, data[place + _CHUNK.size : end])
            first = False
        place = end + 4
        if kind == b"IEND":
            return data[:place]
    raise _broken("it has too many parts")


def from_ppm(data: bytes) -> bytes:
    """A raw PPM (P6) with 255 shades as PNG. Raises ``GuestError``."""
    found = _PPM.match(data)
    if found is None:
        raise _broken("it is no PPM")
    width, height = int(found[1]), int(found[2])
    row = 3 * width
    pixels = memoryview(data)[found.end() : found.end() + row * height]
    if not 0 < width <= LARGEST or not 0 < height <= LARGEST or len(pixels) < row * height:
        raise _broken("it breaks off")
    lines = b"".join(b"\0" + bytes(pixels[at : at + row]) for at in range(0, row * height, row))
    header = _HEADER.pack(width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture that was checked."""
    width, height = struct.unpack_from(">II", data, len(SIGNATURE) + _CHUNK.size)
    return width, height


def _check_header(kind: bytes, content: bytes) -> None:
    if kind != b"IHDR" or len(content) != _HEADER.size:
        raise _broken("it has no header")
    width, height = struct.unpack_from(">II", content)
    if not 0 < width <= LARGEST or not 0 < height <= LARGEST:
        raise _broken(f"it says that it is {width} x {height} large")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _CHUNK.pack(len(content), kind) + content + zlib.crc32(kind + content).to_bytes(4, "big")


def _broken(what: str) -> GuestError:
    return GuestError(f"the picture that QEMU wrote cannot be used: {what}", reason="BrokenPicture")
