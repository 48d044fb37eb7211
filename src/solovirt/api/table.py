"""Server-side tables (meta.k8s.io/v1 Table): what ``kubectl get`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeVar

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Cell, Column, Resource
from solovirt.kit import timestamps
from solovirt.kit.json import Json, JsonObject, to_json

T = TypeVar("T", bound=KubeObject)
IncludeObject = Literal["None", "Metadata", "Object"]

_NAME: JsonObject = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name must be unique within a namespace.",
    "priority": 0,
}


def table(
    resource: Resource[T],
    objects: Sequence[T],
    *,
    resource_version: str | int,
    now: datetime,
    include_object: IncludeObject = "Metadata",
    continue_token: str = "",
    remaining: int | None = None,
) -> JsonObject:
    """One row an object. Cells of format date are ages, empty values are null."""
    metadata: JsonObject = {"resourceVersion": str(resource_version)}
    if continue_token:
        metadata["continue"] = continue_token
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns(resource),
        "rows": [_row(resource, obj, now, include_object) for obj in objects],
    }


def columns(resource: Resource[T]) -> list[Json]:
    """The column definitions, Name first."""
    return [_NAME.copy(), *(_definition(column) for column in resource.columns)]


def _definition(column: Column[T]) -> Json:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(resource: Resource[T], obj: T, now: datetime, include_object: IncludeObject) -> Json:
    cells: list[Json] = [obj.metadata.name]
    cells.extend(_cell(column, column.cell(obj), now) for column in resource.columns)
    row: JsonObject = {"cells": cells}
    if include_object == "Object":
        row["object"] = to_json(obj)
    elif include_object == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": to_json(obj.metadata),
        }
    return row


def _cell(column: Column[T], value: Cell, now: datetime) -> Json:
    if value is None or value == "":
        return None
    if is_date(column):
        return timestamps.age(str(value), now)
    return value


def is_date(column: Column[T]) -> bool:
    """True if the cells of ``column`` are times that are shown as ages."""
    return "date" in (column.type, column.format)
