"""DELETE of one object and of a collection: DeleteOptions from the body or the query.

Source: meta/v1 DeleteOptions; Kubernetes API concepts, "Resource deletion".
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.responses import Response

from solovirt.api import status
from solovirt.kit.errors import BadRequest, Cause, NotFound
from solovirt.kit.json import JsonObject
from solovirt.server import bodies, negotiation, parameters, representation, selection
from solovirt.server.call import Call

_PROPAGATIONS = ("Orphan", "Background", "Foreground")


class Options(NamedTuple):
    """DeleteOptions. ``uid`` and ``resource_version`` are preconditions; "" is none."""

    grace_period: int | None
    propagation: str
    uid: str
    resource_version: str
    dry_run: bool


async def delete(call: Call) -> Response:
    """A Status when the object is gone; the object itself while finalizers hold it. Raises NotFound, Conflict."""
    shape = negotiation.accepted(call.accept)
    options = await read_options(call)
    uid = call.objects.get(call.resource, call.home, call.name).metadata.uid
    left = await call.objects.delete(
        call.resource,
        call.home,
        call.name,
        uid=options.uid,
        resource_version=options.resource_version,
        grace_period=options.grace_period,
        propagation=options.propagation,
        dry_run=options.dry_run,
    )
    if left is not None:
        return representation.respond(representation.body(call, left, shape), shape)
    return representation.respond(status.success(resource=call.resource, name=call.name, uid=uid), shape)


async def delete_collection(call: Call) -> Response:
    """Deletes what the selectors choose and answers the list of it. Objects that vanish meanwhile are no error."""
    shape = negotiation.accepted(call.accept)
    options = await read_options(call)
    chosen = selection.from_request(call.request, call.resource)
    found = call.objects.list(call.resource, call.namespace, labels=chosen.labels, fields=chosen.fields)
    for obj in found.items:
        try:
            await call.objects.delete(
                call.resource,
                obj.metadata.namespace,
                obj.metadata.name,
                uid=options.uid,
                resource_version=options.resource_version,
                grace_period=options.grace_period,
                propagation=options.propagation,
                dry_run=options.dry_run,
            )
        except NotFound:
            continue
    body = representation.list_body(call, found.items, shape, call.objects.revision, "", None)
    return representation.respond(body, shape)


async def read_options(call: Call) -> Options:
    """The body wins over the query. Raises BadRequest, Invalid."""
    negotiation.body_type(call.request.headers.get("content-type", ""))
    body = await bodies.read_options(call.request)
    query = call.request.query_params
    grace: object = body.get("gracePeriodSeconds")
    if grace is None:
        grace = parameters.integer(call.request, "gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool) or grace < 0):
        raise _invalid("gracePeriodSeconds", grace, "must be a non-negative integer")
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    orphan = body.get("orphanDependents")
    if orphan is not None and propagation:
        text = "Invalid value: orphanDependents and deletionPropagation cannot be both set"
        raise parameters.invalid_options("DeleteOptions", [Cause("FieldValueInvalid", text, "propagationPolicy")])
    if not propagation:
        propagation = "Orphan" if orphan is True else "Background"
    if propagation not in _PROPAGATIONS:
        raise parameters.unsupported("DeleteOptions", "propagationPolicy", str(propagation), _PROPAGATIONS)
    conditions = body.get("preconditions") or {}
    if not isinstance(conditions, dict):
        raise BadRequest("preconditions: expected an object", field="preconditions")
    return Options(
        grace,
        str(propagation),
        _text(conditions, "uid"),
        _text(conditions, "resourceVersion"),
        _dry_run(call, body),
    )


def _dry_run(call: Call, body: JsonObject) -> bool:
    values = body.get("dryRun")
    if values is None:
        return parameters.dry_run(call.request, "DeleteOptions")
    if not isinstance(values, list):
        raise BadRequest("dryRun: expected a list", field="dryRun")
    return parameters.is_dry_run([str(value) for value in values], "DeleteOptions")


def _text(conditions: JsonObject, key: str) -> str:
    value = conditions.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"preconditions.{key}: expected a string", field=f"preconditions.{key}")
    return value or ""


def _invalid(field: str, value: object, rule: str) -> Exception:
    return parameters.invalid_options(
        "DeleteOptions", [Cause("FieldValueInvalid", f"Invalid value: {value}: {rule}", field)]
    )
