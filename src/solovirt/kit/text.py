"""Text that somebody else wrote, made safe to show: on a terminal, in a log line, in a status field."""

from __future__ import annotations

import unicodedata

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_DROPPED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str, limit: int = 1024) -> str:
    """``text`` on one line without control characters, lone surrogates or direction overrides.

    Tabs and line ends become one space each. More than ``limit`` characters are cut and end in "…".
    """
    if not text.isprintable() or not text.isascii():
        text = "".join(" " if char in "\t\n\r" else char for char in text[: limit * 4] if _is_shown(char))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _is_shown(char: str) -> bool:
    return char in "\t\n\r" or (unicodedata.category(char) not in _DROPPED and char not in _BIDI)
