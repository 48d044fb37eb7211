import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit import quantity

SUFFIXES = {"": 1, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "k": 1000, "M": 10**6, "G": 10**9, "E": 10**18}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("128Mi", 128 * 1024**2),
        ("1.5", Fraction(3, 2)),
        ("500m", Fraction(1, 2)),
        ("1e3", 1000),
        ("1E", 10**18),
        ("1E3", 1000),
        ("1E-1", Fraction(1, 10)),
        (".5Gi", 2**29),
        ("2.", 2),
        ("+1", 1),
        ("-1k", -1000),
        ("3n", Fraction(3, 10**9)),
        (7, 7),
        (0.1, Fraction(1, 10)),
    ],
)
def test_parses(text: str | int | float, value: Fraction) -> None:
    assert quantity.parse(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 Gi", "1gi", "1KiB", "Mi", "--1", "1e", "1e1000", "1e99", "٣", "0x10", "1_0", "1" * 100, "1Gi\n"],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        quantity.parse(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, True])
def test_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.parse(value)


def test_bytes_are_rounded_up() -> None:
    assert quantity.to_bytes("1.5") == 2
    assert quantity.to_bytes("100m") == 1
    assert quantity.to_bytes("1Gi") == 2**30


@given(st.integers(0, 2**40), st.sampled_from(sorted(SUFFIXES)))
@settings(max_examples=100)
def test_suffixes_multiply(number: int, suffix: str) -> None:
    assert quantity.parse(f"{number}{suffix}") == number * SUFFIXES[suffix]


@given(st.integers(-(2**62), 2**62))
@settings(max_examples=100)
def test_format_is_exact(count: int) -> None:
    assert quantity.to_bytes(quantity.format_bytes(count)) == count


def test_format_takes_the_largest_unit() -> None:
    assert [quantity.format_bytes(n) for n in (0, 1000, 1024, 134217728, 3 * 2**29)] == [
        "0",
        "1000",
        "1Ki",
        "128Mi",
        "1536Mi",
    ]


@given(st.text(max_size=20))
@settings(max_examples=200)
def test_no_text_crashes_it(text: str) -> None:
    try:
        assert isinstance(quantity.parse(text), Fraction)
    except ValueError:
        pass
