"""What kinds with ``replicas`` share: columns, bounds, the check of their selector, causes of what is in a template.

Must not know which kinds these are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from solovirt.api.causes import INVALID, Causes
from solovirt.api.columns import crd_age
from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.labelselector import compile_selector
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Column
from solovirt.kit.errors import Cause

T = TypeVar("T", bound=KubeObject)

DEFAULT_REPLICAS = 1
MAX_REPLICAS = 2**31 - 1


def wanted_replicas(replicas: int | None) -> int:
    return DEFAULT_REPLICAS if replicas is None else replicas


def replica_columns(
    kind: type[T], noun: str, wanted: Callable[[T], int], present: Callable[[T], int], ready: Callable[[T], int]
) -> tuple[Column[T], ...]:
    """Desired, Current, Ready, Age, as KubeVirt's CRDs declare them; ``noun`` is the plural of what is counted."""
    return (
        Column("Desired", wanted, type="integer", description=f"Number of desired {noun}"),
        Column("Current", present, type="integer", description=f"Number of managed and not final or deleted {noun}"),
        Column(
            "Ready", ready, type="integer", description=f"Number of managed {noun} which are ready to receive traffic"
        ),
        crd_age(kind),
    )


def check_replicas(causes: Causes, replicas: int | None, field: str) -> None:
    if replicas is None:
        return
    if replicas < 0:
        causes.invalid(field, replicas, f"{field} in body should be greater than or equal to 0")
    elif replicas > MAX_REPLICAS:
        causes.invalid(field, replicas, f"{field} in body should be less than or equal to {MAX_REPLICAS}")


def check_selector(causes: Causes, selector: LabelSelector, labels: Mapping[str, str], field: str) -> None:
    """The selector must be one, and match what the template makes; otherwise replicas would be made for ever."""
    try:
        found = compile_selector(selector)
    except ValueError as error:
        causes.add(INVALID, field, str(error))
        return
    if not found.matches(labels):
        causes.add(INVALID, field, "selector does not match labels.")


def add_below(causes: Causes, found: Iterable[Cause], prefix: str) -> None:
    """Causes of an object that a template would make, told with the places of the template."""
    for cause in found:
        field = f"{prefix}.{cause.field}" if cause.field else prefix
        message = cause.message.replace(cause.field, field) if cause.field else cause.message
        causes.add(cause.reason, field, message)
