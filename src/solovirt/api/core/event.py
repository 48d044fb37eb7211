"""Event (core/v1)."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.meta import KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause

NORMAL, WARNING = "Normal", "Warning"


class ObjectReference(Model):
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class EventSource(Model):
    component: str = ""
    host: str = ""


class Event(KubeObject):
    """``type`` is Normal or Warning. Repeats raise ``count`` and move ``last_timestamp``."""

    involved_object: ObjectReference = msgspec.field(default_factory=ObjectReference)
    type: str = ""
    reason: str = ""
    message: str = ""
    source: EventSource = msgspec.field(default_factory=EventSource)
    count: int = 0
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    reporting_component: str = ""
    reporting_instance: str = ""
    action: str = ""


def validate(new: Event, old: Event | None) -> list[Cause]:
    """The event is in the namespace of what it is about, and its type is one of two."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    involved = new.involved_object.namespace
    if new.metadata.namespace and involved and involved != new.metadata.namespace:
        causes.invalid("involvedObject.namespace", involved, "does not match event.namespace")
    if new.type not in (NORMAL, WARNING, ""):
        causes.not_supported("type", new.type, (NORMAL, WARNING))
    return causes.found


def last_seen(event: Event) -> str | None:
    """When it happened last: kubectl's Last Seen and the order of its lists."""
    return event.last_timestamp or event.event_time or event.first_timestamp or event.metadata.creation_timestamp


def _about(event: Event) -> str:
    """``virtualmachine/web``: kubectl prints the kind in lower case."""
    return f"{event.involved_object.kind.lower()}/{event.involved_object.name}"


def _selectable(event: Event) -> dict[str, str]:
    about = event.involved_object
    return {
        "involvedObject.kind": about.kind,
        "involvedObject.namespace": about.namespace,
        "involvedObject.name": about.name,
        "involvedObject.uid": about.uid,
        "involvedObject.apiVersion": about.api_version,
        "involvedObject.resourceVersion": about.resource_version,
        "involvedObject.fieldPath": about.field_path,
        "reason": event.reason,
        "reportingComponent": event.reporting_component or event.source.component,
        "source": event.source.component or event.reporting_component,
        "type": event.type,
    }


def _source(event: Event) -> str:
    parts = (event.source.component or event.reporting_component, event.source.host)
    return ", ".join(part for part in parts if part)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    type=Event,
    short_names=("ev",),
    columns=(
        Column("Last Seen", last_seen, format="date", description="The time at which the event was last observed"),
        Column("Type", lambda obj: obj.type, description="Type of this event (Normal, Warning)"),
        Column("Reason", lambda obj: obj.reason, description="Short, machine understandable reason"),
        Column("Object", _about, description="The object that this event is about."),
        Column("Subobject", lambda obj: obj.involved_object.field_path, description="Part of the object.", priority=1),
        Column("Source", _source, description="The component reporting this event.", priority=1),
        Column("Message", lambda obj: obj.message.strip(), description="A human-readable description."),
        Column("First Seen", lambda obj: obj.first_timestamp, format="date", description="First time.", priority=1),
        Column("Count", lambda obj: obj.count or 1, type="integer", description="Number of occurrences.", priority=1),
        Column("Name", lambda obj: obj.metadata.name, description="Name of the event.", priority=1),
    ),
    validate=validate,
    selectable=_selectable,
    spec_fields=(),
)
