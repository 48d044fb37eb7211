"""Kubernetes quantities ("128Mi", "1.5", "500m", "1e3") as exact fractions.

Source: k8s.io/apimachinery/pkg/api/resource. Knows nothing of what is measured.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
_BINARY = {name: 1 << 10 * power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_MAX_LENGTH = 64
_MAX_EXPONENT = 30
RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def parse(quantity: str | int | float) -> Fraction:
    """The exact value. Raises ``ValueError`` with Kubernetes' words."""
    if isinstance(quantity, bool):
        raise ValueError(RULE)
    if isinstance(quantity, int):
        return Fraction(quantity)
    if isinstance(quantity, float):
        if not math.isfinite(quantity):
            raise ValueError(RULE)
        return Fraction(repr(quantity))
    match = _QUANTITY.fullmatch(quantity) if len(quantity) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(RULE)
    exponent = int(match["exponent"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        raise ValueError("exponent out of range")
    number = Fraction(match["number"])
    suffix = match["suffix"] or ""
    if suffix in _BINARY:
        return number * Fraction(_BINARY[suffix])
    power = _DECIMAL.get(suffix, 0) + exponent
    return number * Fraction(10 ** max(power, 0), 10 ** max(-power, 0))


def to_bytes(quantity: str | int | float) -> int:
    """Whole bytes, rounded up as Kubernetes' ``Value()`` does. Raises ``ValueError``."""
    return math.ceil(parse(quantity))


def format_bytes(count: int) -> str:
    """The shortest exact form with a binary suffix: 134217728 -> "128Mi", 1000 -> "1000"."""
    for suffix, factor in reversed(_BINARY.items()):
        if count and count % factor == 0:
            return f"{count // factor}{suffix}"
    return str(count)
