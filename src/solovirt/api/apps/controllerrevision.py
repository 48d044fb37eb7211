"""ControllerRevision of apps/v1: a snapshot of an object that never changes (Kubernetes api apps/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.meta import KubeObject
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause


class ControllerRevision(KubeObject, kw_only=True):
    """``data`` is the whole object as it was; ``revision`` counts where somebody orders them."""

    data: dict[str, object] = msgspec.field(default_factory=dict)
    revision: int = 0


def validate(new: ControllerRevision, old: ControllerRevision | None) -> list[Cause]:
    """Data must be there and stay. Source: kubernetes pkg/apis/apps/validation."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    if not new.data:
        causes.required("data", "data is mandatory")
    if old is not None and new.data != old.data:
        causes.add("FieldValueInvalid", "data", "data: Invalid value: field is immutable")
    if new.revision < 0:
        causes.invalid("revision", new.revision, "must be greater than or equal to 0")
    return causes.found


def _controller(obj: ControllerRevision) -> str:
    owner = next((ref for ref in obj.metadata.owner_references if ref.controller), None)
    return f"{owner.kind.lower()}.{owner.api_version.rpartition('/')[0]}/{owner.name}" if owner else "<none>"


RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    type=ControllerRevision,
    columns=(
        Column("Controller", _controller),
        Column("Revision", lambda obj: obj.revision, type="integer"),
        Column("Age", lambda obj: obj.metadata.creation_timestamp, format="date"),
    ),
    validate=validate,
    spec_fields=(),
)
