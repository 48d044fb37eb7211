from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit import timestamps

START = datetime(2026, 11, 22, 14, 0, 0, tzinfo=UTC)


def test_now_is_rfc3339_in_utc_and_whole_seconds() -> None:
    text = timestamps.now()
    assert len(text) == len("2026-11-22T14:00:00Z") and text.endswith("Z")
    assert abs(datetime.now(UTC) - timestamps.parse(text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T14:00:00Z", "2026-11-22T14:00:00.5Z", "2026-11-22T15:00:00.123456789+01:00", "2026-11-22t14:00:00z"],
)
def test_parses_rfc3339(text: str) -> None:
    assert timestamps.parse(text).replace(microsecond=0) == START


@pytest.mark.parametrize(
    "text", ["", "2026-11-22", "2026-11-22T14:00:00", "2026-13-22T14:00:00Z", "2026-11-22T14:00:00Z\n", "yesterday"]
)
def test_refuses_other_times(text: str) -> None:
    with pytest.raises(ValueError):
        timestamps.parse(text)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
@settings(max_examples=50)
def test_parse_undoes_render(moment: datetime) -> None:
    assert timestamps.parse(timestamps.render(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (15, "15s"),
        (119, "119s"),
        (120, "2m"),
        (184, "3m4s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 61, "5h1m"),
        (8 * 3600 + 61, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400 + 3600, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_age_is_kubectls(seconds: int, text: str) -> None:
    since = timestamps.render(START)
    assert timestamps.age(since, START + timedelta(seconds=seconds)) == text


def test_age_of_no_time_is_unknown() -> None:
    assert timestamps.age("", START) == "<unknown>"
