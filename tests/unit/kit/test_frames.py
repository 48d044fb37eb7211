from __future__ import annotations

from collections.abc import Iterable

import pytest

from solovirt.kit import frames


def read(pieces: Iterable[bytes]) -> tuple[bytes, bytes]:
    """All content, and the last word."""
    coming, found = frames.content(pieces), b""
    while True:
        try:
            found += next(coming)
        except StopIteration as end:
            return found, end.value


WHOLE = frames.frame(b"abc") + frames.frame(b"\0" * 300) + frames.frame(b"d") + frames.last_word(b"bye")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100, 1000])
def test_however_it_is_cut(size: int) -> None:
    pieces = [WHOLE[start : start + size] for start in range(0, len(WHOLE), size)]
    assert read(pieces) == (b"abc" + b"\0" * 300 + b"d", b"bye")


def test_nothing_but_an_empty_last_word() -> None:
    assert read([frames.last_word(b"")]) == (b"", b"")


def test_content_comes_before_its_frame_is_whole() -> None:
    assert next(frames.content([frames.frame(b"abcdef")[:6]])) == b"ab"


@pytest.mark.parametrize("end", [0, 3, 5, 9, len(WHOLE) - len(b"bye") - 1])
def test_no_last_word(end: int) -> None:
    with pytest.raises(EOFError):
        read([WHOLE[:end]])


def test_a_last_word_without_end() -> None:
    with pytest.raises(ValueError, match="more than"):
        read([frames.last_word(b""), *[b"x" * frames.LAST_WORD_LIMIT] * 2])
