"""Bytes in frames with a last word: how an answer of any length tells whether it is whole, and if not, why.

A frame is its length (four bytes, big endian) and that many bytes; a length of 0 is followed by the last word: the rest
of the answer. HTTP/1.1 would have trailers for it, which uvicorn does not send. Must not know what the bytes are, nor
the last word.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

MEDIA_TYPE = "application/vnd.solovirt.frames"
"""Of an answer in frames; whoever can read them says so in ``Accept``."""
LAST_WORD_LIMIT = 64 * 1024
_LENGTH = 4


def frame(data: bytes) -> bytes:
    """``data`` must not be empty."""
    return len(data).to_bytes(_LENGTH, "big") + data


def last_word(data: bytes) -> bytes:
    return bytes(_LENGTH) + data


def content(pieces: Iterable[bytes]) -> Generator[bytes, None, bytes]:
    """What the frames hold, as it comes; the generator's value is the last word.

    Raises ``EOFError`` when the pieces end before it, ``ValueError`` when it has no end.
    """
    waiting, left = b"", 0
    coming = iter(pieces)
    for piece in coming:
        data = waiting + piece if waiting else piece
        waiting = b""
        while data:
            if left:
                yield data[:left]
                left, data = max(left - len(data), 0), data[left:]
            elif len(data) < _LENGTH:
                waiting, data = data, b""
            elif left := int.from_bytes(data[:_LENGTH], "big"):
                data = data[_LENGTH:]
            else:
                return _rest(data[_LENGTH:], coming)
    raise EOFError("there is no last word")


def _rest(data: bytes, coming: Iterable[bytes]) -> bytes:
    found = bytearray(data)
    for piece in coming:
        found += piece
        if len(found) > LAST_WORD_LIMIT:
            break
    if len(found) > LAST_WORD_LIMIT:
        raise ValueError(f"the last word has more than {LAST_WORD_LIMIT} bytes")
    return bytes(found)
