"""Durations as Go reads them (time.ParseDuration): ``90s``, ``1h30m``, ``1.5h``, ``100ms``. Always with a unit.

Knows nothing of objects; the CLI's own, laxer reading is in ``cli.durations``.
"""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h)")
_LONGEST = 60


def parse_go(text: str) -> float:
    """Seconds. Raises ValueError."""
    rest = text.removeprefix("-").removeprefix("+") if len(text) <= _LONGEST else ""
    sign = -1.0 if text.startswith("-") else 1.0
    if rest == "0":
        return 0.0
    total, position = 0.0, 0
    while part := _PART.match(rest, position):
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not rest or position != len(rest):
        raise ValueError(f"time: invalid duration {text[:_LONGEST]!r}")
    return sign * total
