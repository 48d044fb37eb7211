"""Columns that several kinds share."""

from __future__ import annotations

from typing import TypeVar

from solovirt.api.meta import Condition, KubeObject, find_condition
from solovirt.api.resource import Column

T = TypeVar("T", bound=KubeObject)

_CREATED = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is represented in"
    " RFC3339 form and is in UTC."
)


def created(obj: T) -> str | None:
    return obj.metadata.creation_timestamp


def crd_age(kind: type[T]) -> Column[T]:
    """``Age`` as a CustomResourceDefinition declares it: type date."""
    return Column("Age", created, type="date")


def core_age(kind: type[T]) -> Column[T]:
    """``Age`` of Kubernetes' built-in kinds: a string that the server humanises."""
    return Column("Age", created, format="date", description=_CREATED)


def condition_status(conditions: list[Condition], kind: str) -> str | None:
    """The cell of a condition: its ``status``; nothing if there is no such condition."""
    found = find_condition(conditions, kind)
    return found.status if found is not None else None
