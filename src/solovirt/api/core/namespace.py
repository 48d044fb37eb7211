"""Namespace (core/v1): cluster-scoped; the store refuses objects in one that is not there."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.columns import core_age
from solovirt.api.meta import KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause
from solovirt.kit.names import label_problem

ACTIVE = "Active"


class NamespaceSpec(Model):
    finalizers: list[str] = msgspec.field(default_factory=list)


class NamespaceStatus(Model):
    phase: str = ""


class Namespace(KubeObject):
    spec: NamespaceSpec = msgspec.field(default_factory=NamespaceSpec)
    status: NamespaceStatus = msgspec.field(default_factory=NamespaceStatus)


def default(namespace: Namespace) -> None:
    """A new namespace is Active."""
    namespace.status.phase = namespace.status.phase or ACTIVE


def validate(new: Namespace, old: Namespace | None) -> list[Cause]:
    causes = Causes()
    check_metadata(causes, new.metadata, name_problem=label_problem)
    return causes.found


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    type=Namespace,
    short_names=("ns",),
    namespaced=False,
    columns=(
        Column("Status", lambda obj: obj.status.phase, description="The status of the namespace"),
        core_age(Namespace),
    ),
    has_status=True,
    default=default,
    validate=validate,
    selectable=lambda obj: {"status.phase": obj.status.phase},
)
