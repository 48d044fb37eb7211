"""What a kind needs to know of other objects when one of its own is written: KubeVirt's webhooks that look around.

A ``Resource`` may carry an ``Admission``. The store calls it inside the write, so that it sees what all earlier writes
made, and nothing comes between. Must not know how objects are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from solovirt.api.meta import KubeObject
from solovirt.kit.errors import Cause

if TYPE_CHECKING:
    from solovirt.api.resource import Resource

T = TypeVar("T", bound=KubeObject)


class Lookup(Protocol):
    """Other objects as they are at this moment. What is returned is the caller's own copy."""

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None: ...

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        """All of a kind, or those of one namespace, sorted by namespace and name."""
        ...


class Nothing:
    """A ``Lookup`` without objects."""

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None:
        return None

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        return ()


class Expanded(msgspec.Struct, Generic[T], frozen=True):
    """What the kind's rules are to judge instead of what is stored, and causes that were found on the way."""

    object: T
    causes: Sequence[Cause] = ()


def unchanged(new: T, old: T | None, objects: Lookup) -> None:
    """Nothing to fill in."""


def as_it_is(new: T, objects: Lookup) -> Expanded[T]:
    return Expanded(new)


class Admission(msgspec.Struct, Generic[T], frozen=True):
    """``mutate`` runs on create and update before the kind's defaults and may raise ``BadRequest``; ``expand`` runs
    after them and must leave its argument as it is. Neither may wait."""

    mutate: Callable[[T, T | None, Lookup], None] = unchanged
    expand: Callable[[T, Lookup], Expanded[T]] = as_it_is
