"""Errors of a compilation: each names a field below the VMI's spec, and all of a manifest come at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from solovirt.kit.errors import Cause, HostError, Invalid

T = TypeVar("T")


def invalid(path: str, text: str, *, reason: str = "FieldValueInvalid", hint: str = "") -> Invalid:
    """An ``Invalid`` with one cause; ``path`` is relative to the VMI's spec until ``under`` completes it."""
    whole = text + (f" ({hint})" if hint else "")
    return Invalid(whole, field=path, causes=[Cause(reason, whole, path)])


def gather(parts: Iterable[Callable[[], Iterable[T]]]) -> list[T]:
    """The results of all parts. Every part is tried; raises one ``Invalid`` with the causes of all, else the first
    ``HostError``."""
    found: list[T] = []
    causes: dict[Cause, None] = {}
    trouble: HostError | None = None
    for part in parts:
        try:
            found.extend(part())
        except Invalid as error:
            causes.update(dict.fromkeys(error.causes))
        except HostError as error:
            trouble = trouble or error
    if causes:
        raise merged(causes)
    if trouble:
        raise trouble
    return found


def merged(causes: Iterable[Cause]) -> Invalid:
    every = list(causes)
    return Invalid(", ".join(cause.message for cause in every), field=every[0].field, causes=every)


def under(prefix: str, error: Invalid) -> Invalid:
    """``error`` with full field paths, each message beginning with its path."""
    return merged(
        Cause(cause.reason, f"{join(prefix, cause.field)}: {cause.message}", join(prefix, cause.field))
        for cause in error.causes
    )


def join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path
