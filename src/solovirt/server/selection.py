"""Label and field selectors of a request, applied to objects."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource, only_metadata_fields
from solovirt.api.selectors import FieldSelector, LabelSelector, parse_fields, parse_labels
from solovirt.store.objects import field_values


@dataclass(frozen=True, slots=True)
class Selection:
    """``labels`` or ``fields`` None selects everything; the texts are the client's. ``name`` is the legacy watch's."""

    labels: LabelSelector | None
    fields: FieldSelector | None
    label_text: str = ""
    field_text: str = ""
    name: str = ""

    @property
    def everything(self) -> bool:
        return self.labels is None and self.fields is None and not self.name

    def matches(self, resource: Resource[KubeObject], obj: KubeObject) -> bool:
        if self.name and obj.metadata.name != self.name:
            return False
        if self.labels is not None and not self.labels.matches(obj.metadata.labels):
            return False
        return self.fields is None or self.fields.matches(field_values(resource, obj))


def from_request(request: Request, resource: Resource[KubeObject], name: str = "") -> Selection:
    """Raises BadRequest for selectors that cannot be parsed, or that ask for a field which the kind has not."""
    labels = request.query_params.get("labelSelector", "")
    terms = request.query_params.get("fieldSelector", "")
    parsed = parse_fields(terms) if terms.strip() else None
    empty = _empty(resource)
    if parsed is not None and empty is not None:
        # So that a list without objects refuses what a list with objects refuses.
        parsed.matches(field_values(resource, empty))
    return Selection(
        parse_labels(labels) if labels.strip() else None,
        parsed,
        labels,
        terms,
        name,
    )


def _empty(resource: Resource[KubeObject]) -> KubeObject | None:
    """An object of this kind for asking which fields it has; None when the kind has fields without a default."""
    try:
        return resource.type()
    except TypeError:
        return KubeObject() if resource.selectable is only_metadata_fields else None
