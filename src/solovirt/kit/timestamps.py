"""Times as Kubernetes writes them (RFC 3339, UTC, whole seconds) and ages as kubectl prints them.

Stdlib only: the CLI's hot path uses it. Knows nothing of objects.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def now() -> str:
    """The present, as ``metav1.Time`` is written: ``2026-11-22T14:00:00Z``."""
    return render(datetime.now(UTC))


def render(moment: datetime) -> str:
    """RFC 3339 in UTC, cut to seconds. ``moment`` must know its zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """An aware datetime of an RFC 3339 time (fractions allowed). Raises ``ValueError``."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text[:40]!r}")
    return datetime.fromisoformat(text.upper())


def age(since: str, now: datetime) -> str:
    """How long ago ``since`` was, as kubectl prints it: "15s", "3m4s", "5h", "2d", "<unknown>", "<invalid>".

    Source: k8s.io/apimachinery/pkg/util/duration HumanDuration.
    """
    try:
        started = parse(since)
    except ValueError:
        return "<unknown>"
    return human_duration(int((now - started).total_seconds()))


def human_duration(seconds: int) -> str:
    """kubectl's rounding: two units while the first one is small, one later. Two seconds of clock skew are "0s"."""
    if seconds < -1:
        return "<invalid>"
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 0)}s"
    steps = (
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    )
    for below, unit, letter, small, small_letter in steps:
        if seconds < below:
            rest = seconds % unit // small if small else 0
            return f"{seconds // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{seconds // _YEAR}y"
