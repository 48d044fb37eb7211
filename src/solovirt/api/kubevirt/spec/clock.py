"""domain.clock: what the guest's hardware clock shows, and its timers (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

from solovirt.api.meta import Model


class ClockUTC(Model):
    offset_seconds: int | None = None


class Timer(Model):
    """``kvm`` and ``hyperv``."""

    present: bool | None = None


class TickingTimer(Model):
    """``hpet`` and ``pit``."""

    present: bool | None = None
    tick_policy: str = ""


class RTCTimer(Model):
    present: bool | None = None
    tick_policy: str = ""
    track: str = ""


class Timers(Model):
    hpet: TickingTimer | None = None
    kvm: Timer | None = None
    pit: TickingTimer | None = None
    rtc: RTCTimer | None = None
    hyperv: Timer | None = None


class Clock(Model):
    utc: ClockUTC | None = None
    timezone: str = ""
    timer: Timers | None = None
