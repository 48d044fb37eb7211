"""Label and field selectors of a request, applied to objects."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
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


def from_request(request: Request, name: str = "") -> Selection:
    """Raises BadRequest for selectors that cannot be parsed."""
    labels = request.query_params.get("labelSelector", "")
    fields = request.query_params.get("fieldSelector", "")
    return Selection(
        parse_labels(labels) if labels.strip() else None,
        parse_fields(fields) if fields.strip() else None,
        labels,
        fields,
        name,
    )
