import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit.yamlscalars import is_ambiguous, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, True) for word in ("y", "Y", "yes", "Yes", "YES", "true", "True", "on", "ON")),
        *((word, False) for word in ("n", "N", "no", "No", "false", "FALSE", "off", "Off")),
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0x10", -16),
        ("1_000", 1000),
        ("+12", 12),
        ("08", 8),
        ("1.5", 1.5),
        ("1.0", 1),
        ("1e3", 1000),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_values(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    ["yEs", "tRue", "2026-11-22", "22:22:22", "10.0.2.2", "1.2.3", "128Mi", "0x", "1e999", "-", "+", ".", "_1", "1__a"],
)
def test_strings(text: str) -> None:
    assert resolve(text) == text


def test_infinities_come_back_as_floats() -> None:
    assert resolve("-.inf") == -math.inf
    assert resolve(".NaN") != resolve(".NaN")


@pytest.mark.parametrize("text", ["y", "0644", "2026-11-22", "2026-11-22T14:00:00Z", "22:22:22", "", "~", "1e3"])
def test_ambiguous(text: str) -> None:
    assert is_ambiguous(text)


@pytest.mark.parametrize("text", ["a", "yes!", "128Mi", "q35", "02:00:00:00:00:0g"])
def test_plain(text: str) -> None:
    assert not is_ambiguous(text)


@given(st.text("0123456789abcdefxoXOB_+-.eE:", max_size=12))
@settings(max_examples=300)
def test_nothing_crashes_it(text: str) -> None:
    assert isinstance(resolve(text), None | bool | int | float | str)
