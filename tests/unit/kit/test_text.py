from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("two\nlines\tand\r\n", "two lines and  "),
        ("Grüße 你好 👩‍💻", "Grüße 你好 👩‍💻"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("nul\x00 c1\x9b del\x7f lone\ud800", "nul c1 del lone"),
        ("paragraph\u2028separator\u2029", "paragraphseparator"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_cuts() -> None:
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 11, 10) == "x" * 9 + "…"
    assert printable("\x00" * 10**6 + "x", 10) == ""


@given(st.text(max_size=60), st.integers(1, 50))
@settings(max_examples=100)
def test_nothing_that_controls_a_terminal_is_left(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    shown.encode("utf-8")
    assert printable(shown, limit) == shown
