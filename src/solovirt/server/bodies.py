"""Request bodies: bounded reading, JSON or YAML, and the checks that a body belongs to its URL."""

from __future__ import annotations

import msgspec
from starlette.requests import ClientDisconnect, Request

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit import json, yaml
from solovirt.kit.errors import BadRequest, Cause, Invalid
from solovirt.kit.json import Json, JsonObject, get_object, get_str
from solovirt.server import negotiation
from solovirt.server.errors import RequestTooLarge

LIMIT = 3 * 1024 * 1024


async def read(request: Request, limit: int = LIMIT) -> bytes:
    """The whole body. Raises RequestTooLarge beyond ``limit`` bytes, before reading more of it."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > limit:
                raise _too_large(limit)
    except ClientDisconnect as error:
        raise BadRequest("the client went away before its request was complete") from error
    return bytes(data)


async def read_object(request: Request) -> JsonObject:
    """A JSON or YAML object, by Content-Type. Raises BadRequest, UnsupportedMediaType, RequestTooLarge."""
    media_type = negotiation.body_type(request.headers.get("content-type", ""))
    data = await read(request)
    return _object(from_yaml(data) if media_type == negotiation.YAML else from_json(data))


async def read_options(request: Request, limit: int = LIMIT) -> JsonObject:
    """An optional object in JSON or YAML, whatever the Content-Type says: virtctl sends none. Empty is {}."""
    data = (await read(request, limit)).strip()
    if not data:
        return {}
    value = from_json(data) if data.startswith(b"{") else from_yaml(data)
    return {} if value is None else _object(value)


def from_json(data: bytes) -> Json:
    try:
        return json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the request body is not JSON: {error}") from error


def from_yaml(data: bytes) -> Json:
    documents = yaml.load_all(data, source="request body")
    if not documents:
        return None
    if len(documents) > 1:
        raise BadRequest(f"the request body must be one YAML document, not {len(documents)}")
    return documents[0].value


def check_type(resource: Resource[KubeObject], body: JsonObject) -> None:
    """Refuse a body of another kind or version; fill both in for built-in kinds, as Kubernetes does.

    Raises BadRequest, and Invalid for a custom resource of the wrong kind.
    """
    custom = "." in resource.group
    for field, value in (("kind", resource.kind), ("apiVersion", resource.api_version)):
        if not get_str(body, field):
            if custom:
                word = field[0].upper() + field[1:]
                raise BadRequest(f"Object '{word}' is missing in the request body", field=field)
            body[field] = value
    api_version, kind = get_str(body, "apiVersion"), get_str(body, "kind")
    if api_version != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({api_version}) does not match the expected API version"
            f" ({resource.api_version})"
        )
    if kind == resource.kind:
        return
    if custom:
        cause = Cause("FieldValueInvalid", f'Invalid value: "{kind}": must be {resource.kind}', "kind")
        name = get_str(get_object(body, "metadata"), "name")
        raise Invalid(
            f'{resource.kind}.{resource.group} "{name}" is invalid: kind: {cause.message}', field="", causes=[cause]
        )
    raise BadRequest(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}')


def place(body: JsonObject, namespace: str, name: str) -> None:
    """Fill in the URL's namespace and check both names against the URL. ``name`` "" means a create.

    Raises BadRequest.
    """
    metadata = body.get("metadata")
    if metadata is None:
        metadata = body["metadata"] = {}
    if not isinstance(metadata, dict):
        raise BadRequest("metadata: expected an object", field="metadata")
    found = metadata.get("namespace")
    if found not in (None, "", namespace):
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    if namespace:
        metadata["namespace"] = namespace
    elif found is not None:
        del metadata["namespace"]
    if not name:
        return
    found = metadata.get("name")
    if found in (None, ""):
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if found != name:
        raise BadRequest(f"the name of the object ({found}) does not match the name on the URL ({name})")


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise BadRequest("the request body must be an object")
    return value


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Request entity too large: limit is {limit}")
