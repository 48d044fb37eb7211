from datetime import UTC, datetime

import pytest

from solovirt.api.kubevirt.spec.clock import Clock, ClockUTC
from solovirt.host import rtc
from solovirt.kit.errors import HostError

NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "shown"),
    [
        (None, ""),
        (Clock(), ""),
        (Clock(utc=ClockUTC()), ""),
        (Clock(utc=ClockUTC(offset_seconds=0)), ""),
        (Clock(utc=ClockUTC(offset_seconds=-3601)), "2026-07-01T10:59:59"),
        (Clock(timezone="Europe/Berlin"), "2026-07-01T14:00:00"),
        (Clock(timezone="Asia/Kolkata"), "2026-07-01T17:30:00"),
        (Clock(utc=ClockUTC(), timezone="Asia/Kolkata"), ""),
        (Clock(utc=ClockUTC(offset_seconds=60), timezone="Asia/Kolkata"), "2026-07-01T12:01:00"),
    ],
)
def test_what_the_clock_shows(clock: Clock | None, shown: str) -> None:
    assert rtc.base(clock, NOON) == shown


def test_winter() -> None:
    assert rtc.base(Clock(timezone="Europe/Berlin"), NOON.replace(month=1)) == "2026-01-01T13:00:00"


@pytest.mark.parametrize("zone", ["Europe/Bielefeld", "/etc/passwd", "../UTC", "Europe"])
def test_zones_that_there_are_not(zone: str) -> None:
    with pytest.raises(HostError, match="knows no time zone") as caught:
        rtc.base(Clock(timezone=zone), NOON)
    assert caught.value.field == rtc.PATH and "tzdata" in caught.value.hint


def test_times_that_there_are_not() -> None:
    with pytest.raises(HostError, match="no calendar has"):
        rtc.base(Clock(utc=ClockUTC(offset_seconds=10**12)), NOON)


def test_now() -> None:
    shown = rtc.base(Clock(utc=ClockUTC(offset_seconds=1)))
    assert abs(datetime.fromisoformat(shown + "+00:00") - datetime.now(UTC)).total_seconds() < 30
