"""Checks of quantities in objects: that they parse, and that they are in range."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from solovirt.api.causes import Causes, shown
from solovirt.kit import quantity

Quantity = str | int | float
STORAGE = "storage"
_MAX = 2**63 - 1


def checked(causes: Causes, value: Quantity | None, field: str) -> Fraction | None:
    """The value, or None after saying what is wrong (None in gives None out)."""
    if value is None:
        return None
    try:
        number = quantity.parse(value)
    except ValueError as error:
        causes.invalid(field, value, str(error))
        return None
    if abs(number) > _MAX:
        causes.invalid(field, value, "must be less than 8Ei")
        return None
    return number


def as_bytes(value: Quantity | None) -> int | None:
    """Whole bytes of a quantity that may be missing or wrong."""
    if value is None:
        return None
    try:
        return quantity.to_bytes(value)
    except ValueError:
        return None


def check_positive(causes: Causes, value: Quantity | None, field: str) -> Fraction | None:
    number = checked(causes, value, field)
    if number is not None and number <= 0:
        causes.invalid(field, value, "must be greater than zero")
        return None
    return number


def check_storage(
    causes: Causes, requests: Mapping[str, Quantity], limits: Mapping[str, Quantity], field: str, *, required: bool
) -> None:
    """``requests.storage`` positive and at most ``limits.storage``; nothing but storage is asked of a disk."""
    place = f"{field}.requests.{STORAGE}"
    if STORAGE not in requests and required:
        causes.required(place)
    for name, group in (("requests", requests), ("limits", limits)):
        for key in group:
            if key != STORAGE:
                causes.not_supported(f"{field}.{name}", key, (STORAGE,))
    size = check_positive(causes, requests.get(STORAGE), place)
    limit = check_positive(causes, limits.get(STORAGE), f"{field}.limits.{STORAGE}")
    if size is not None and limit is not None and size > limit:
        causes.invalid(
            place, requests[STORAGE], f"must be less than or equal to {STORAGE} limit of {shown(limits[STORAGE])}"
        )
