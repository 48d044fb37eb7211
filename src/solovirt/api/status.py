"""Errors and successes as Kubernetes ``Status`` objects (meta/v1). Knows nothing of HTTP."""

from __future__ import annotations

from typing import TypeVar

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import Json, JsonObject

T = TypeVar("T", bound=KubeObject)

_MAX_CAUSES = 64


def failure(error: SolovirtError, *, resource: Resource[T] | None = None, name: str = "") -> JsonObject:
    """The Status of an error: reason, message, code, and ``details`` with the kind (its plural) and one cause a field.

    A hint for people is appended to the message in parentheses.
    """
    details: JsonObject = {}
    if name:
        details["name"] = name
    if resource is not None:
        if resource.group:
            details["group"] = resource.group
        details["kind"] = resource.plural
    causes: list[Json] = [
        {"reason": cause.reason, "message": cause.message, **({"field": cause.field} if cause.field else {})}
        for cause in error.causes[:_MAX_CAUSES]
    ]
    if not causes and error.field:
        causes.append({"reason": error.reason, "message": error.message, "field": error.field})
    if causes:
        details["causes"] = causes
    status: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error),
        "reason": error.reason,
        "code": error.code,
    }
    if details:
        status["details"] = details
    return status


def success(*, resource: Resource[T] | None = None, name: str = "", uid: str = "", message: str = "") -> JsonObject:
    """The Status that answers a finished delete."""
    details: JsonObject = {}
    if resource is not None:
        details = {"name": name, "group": resource.group, "kind": resource.plural, "uid": uid}
    status: JsonObject = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if message:
        status["message"] = message
    kept: JsonObject = {key: value for key, value in details.items() if value}
    if kept:
        status["details"] = kept
    return status
