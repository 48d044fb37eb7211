from __future__ import annotations

import pytest

from solovirt.kit.durations import parse_go


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("100ms", 0.1), ("0", 0), ("-2s", -2), (".5s", 0.5), ("+3s", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_go(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5m!", "-", "--1s", "1m" * 40, "５m", "1d"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_go(text)
