"""Durations as Go writes them: ``90s``, ``1m30s``, ``2h``; a bare number is seconds."""

from __future__ import annotations

import re

from solovirt.kit.errors import BadRequest

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")


def seconds(text: str) -> float:
    """Raises BadRequest naming the text."""
    total, position = 0.0, 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part.end() == position:
            break
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not text or position != len(text):
        raise BadRequest(f"{text!r} is not a duration", hint="write 30s, 5m or 1h")
    return total
