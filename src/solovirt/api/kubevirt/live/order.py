"""Lists of named things: in the order of the spec that is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def arrange(items: Iterable[T], wanted: Iterable[str]) -> list[T]:
    """``items`` in the order in which ``wanted`` names them; those that it does not name come last, as they were."""
    places = {name: number for number, name in enumerate(wanted)}
    return sorted(items, key=lambda item: places.get(item.name, len(places)))
