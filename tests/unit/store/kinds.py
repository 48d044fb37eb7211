"""Kinds for the store's tests: it must work with any."""

from __future__ import annotations

from pathlib import Path

import msgspec

from solovirt.api.core.namespace import Namespace
from solovirt.api.meta import KubeObject, Model, ObjectMeta
from solovirt.api.resource import Resource
from solovirt.kit.errors import Cause
from solovirt.store.objects import Objects

NOW = "2026-01-02T03:04:05Z"


class WidgetSpec(Model):
    size: int = 0
    colour: str = ""


class WidgetStatus(Model):
    phase: str = ""


class Widget(KubeObject):
    spec: WidgetSpec = msgspec.field(default_factory=WidgetSpec)
    status: WidgetStatus = msgspec.field(default_factory=WidgetStatus)


class Note(KubeObject):
    data: dict[str, str] = msgspec.field(default_factory=dict)


def _default(widget: Widget) -> None:
    widget.spec.colour = widget.spec.colour or "grey"


def _validate(widget: Widget, old: Widget | None) -> list[Cause]:
    causes = []
    if widget.spec.size < 0:
        causes.append(Cause("FieldValueInvalid", "spec.size: Invalid value: must not be negative", "spec.size"))
    if widget.spec.colour == "octarine":
        causes.append(Cause("FieldValueInvalid", "spec.colour: Invalid value: unseen", "spec.colour"))
    if old is not None and widget.spec.size < old.spec.size:
        causes.append(Cause("FieldValueForbidden", "spec.size: Forbidden: must not shrink", "spec.size"))
    return causes


WIDGETS: Resource[Widget] = Resource(
    group="test.io",
    version="v1",
    kind="Widget",
    plural="widgets",
    singular="widget",
    type=Widget,
    has_status=True,
    default=_default,
    validate=_validate,
    selectable=lambda widget: {"spec.colour": widget.spec.colour},
)
NOTES: Resource[Note] = Resource(
    group="", version="v1", kind="Note", plural="notes", singular="note", type=Note, spec_fields=()
)
NAMESPACES: Resource[Namespace] = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    type=Namespace,
    namespaced=False,
    has_status=True,
)


def widget(name: str = "w", *, namespace: str = "default", size: int = 1, **meta: object) -> Widget:
    found = Widget(metadata=ObjectMeta(name=name, namespace=namespace), spec=WidgetSpec(size=size))
    for field, value in meta.items():
        setattr(found.metadata, field, value)
    return found


def note(name: str = "n", *, namespace: str = "default", **data: str) -> Note:
    return Note(metadata=ObjectMeta(name=name, namespace=namespace), data=data)


def namespace(name: str) -> Namespace:
    return Namespace(metadata=ObjectMeta(name=name))


def open_store(path: Path) -> Objects:
    return Objects.open(path, clock=lambda: NOW)
