"""Rules for the clock and its timers. Source: kubevirt api core/v1 schema.go (values), libvirt (what it refuses)."""

from __future__ import annotations

import re

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.clock import Clock, Timers

HPET_POLICIES = ("delay", "catchup", "merge", "discard")
PIT_POLICIES = ("delay", "catchup", "discard")
RTC_POLICIES = ("delay", "catchup")
TRACKS = ("guest", "wall")
MOST_SECONDS = 100 * 366 * 24 * 3600
"""A hundred years: what the century byte of a PC's clock is made for."""
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", re.ASCII)


def check_clock(causes: Causes, clock: Clock | None, field: str) -> None:
    """``field`` is the path of ``clock``."""
    if clock is None:
        return
    offset = clock.utc.offset_seconds if clock.utc is not None else None
    if offset is not None and abs(offset) > MOST_SECONDS:
        causes.invalid(f"{field}.utc.offsetSeconds", offset, f"must be between -{MOST_SECONDS} and {MOST_SECONDS}")
    if clock.timezone and not _ZONE.fullmatch(clock.timezone):
        causes.invalid(f"{field}.timezone", clock.timezone, "must be the name of a time zone such as Europe/Berlin")
    if clock.timer is not None:
        _check_timers(causes, clock.timer, f"{field}.timer")


def _check_timers(causes: Causes, timers: Timers, field: str) -> None:
    rtc = timers.rtc
    values = (
        ("hpet.tickPolicy", timers.hpet.tick_policy if timers.hpet is not None else "", HPET_POLICIES),
        ("pit.tickPolicy", timers.pit.tick_policy if timers.pit is not None else "", PIT_POLICIES),
        ("rtc.tickPolicy", rtc.tick_policy if rtc is not None else "", RTC_POLICIES),
        ("rtc.track", rtc.track if rtc is not None else "", TRACKS),
    )
    for name, value, allowed in values:
        if value and value not in allowed:
            causes.not_supported(f"{field}.{name}", value, allowed)
