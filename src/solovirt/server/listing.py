"""GET of a collection: selectors, resourceVersion, pages.

Source: Kubernetes API concepts, "Semantics for get and list" and "Retrieving large results sets in chunks".
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from solovirt.kit.errors import Cause, Expired, Invalid, TimedOut
from solovirt.server import negotiation, parameters, representation, selection
from solovirt.server.call import Call
from solovirt.server.continuation import Page


async def list_objects(call: Call) -> Response:
    """One page of a list. Raises BadRequest, Invalid, Expired, TimedOut (for a version from the future)."""
    shape = negotiation.accepted(call.accept)
    page = _page(call)
    body = representation.list_body(call, page.objects, shape, page.revision, page.token, page.remaining)
    return representation.respond(body, shape)


def _page(call: Call) -> Page:
    request = call.request
    check_options(request)
    chosen = selection.from_request(request, call.resource)
    limit = parameters.integer(request, "limit") or 0
    scope = (call.resource.key, str(call.namespace), chosen.label_text, chosen.field_text)
    token = request.query_params.get("continue", "")
    if token:
        return call.services.snapshots.next(scope, token, limit)
    _check_version(request, call.objects.revision)
    listing = call.objects.list(call.resource, call.namespace, labels=chosen.labels, fields=chosen.fields)
    return call.services.snapshots.first(scope, listing.items, listing.revision, limit)


def check_version(asked: int | None, current: int) -> None:
    """Refuse a version that this server has not reached yet, as Kubernetes does. Raises TimedOut."""
    if asked is not None and asked > current:
        raise TimedOut(
            f"Too large resource version: {asked}, current: {current}",
            causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
        )


def _check_version(request: Request, current: int) -> None:
    asked = parameters.resource_version(request)
    check_version(asked, current)
    exact = request.query_params.get("resourceVersionMatch") == "Exact"
    if exact and asked is not None and asked < current:
        raise Expired(f"The resourceVersion for the provided list is too old: {asked} (current {current})")


def check_options(request: Request) -> None:
    """The rules for combining list options (apimachinery's ValidateListOptions). Raises Invalid."""
    query = request.query_params
    causes = []
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match:
        if not version:
            causes.append(forbidden_match("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if query.get("continue"):
            causes.append(forbidden_match("resourceVersionMatch is forbidden when continue is provided"))
        if match not in ("Exact", "NotOlderThan"):
            causes.append(unsupported_match(match))
        if match == "Exact" and version == "0":
            causes.append(forbidden_match('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in query:
        causes.append(
            Cause("FieldValueForbidden", "Forbidden: sendInitialEvents is forbidden for list", "sendInitialEvents")
        )
    raise_causes(causes)


def forbidden_match(text: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {text}", "resourceVersionMatch")


def unsupported_match(value: str) -> Cause:
    text = f'Unsupported value: "{value}": supported values: "Exact", "NotOlderThan", ""'
    return Cause("FieldValueNotSupported", text, "resourceVersionMatch")


def raise_causes(causes: list[Cause]) -> None:
    if causes:
        error: Invalid = parameters.invalid_options("ListOptions", causes)
        raise error
