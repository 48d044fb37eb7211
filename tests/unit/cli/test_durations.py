from __future__ import annotations

import pytest

from solovirt.cli.durations import seconds
from solovirt.kit.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("30", 30), ("90s", 90), ("1m30s", 90), ("2h", 7200), ("1.5m", 90), ("250ms", 0.25)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "5x", "-1s", "1 m", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadRequest, match="duration"):
        seconds(text)
