"""The ``scale`` subresource: any kind that has replicas, seen as an autoscaling/v1 Scale.

Source: apiextensions-apiserver pkg/registry/customresource (ScaleREST). Knows of a kind only its ``Resource.scale``.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.responses import Response

from solovirt.api import patch
from solovirt.api.meta import KubeObject, Model, ObjectMeta
from solovirt.api.replicas import MAX_REPLICAS
from solovirt.api.resource import Scale as Declaration
from solovirt.kit import json
from solovirt.kit.errors import BadRequest, Cause, Conflict, Invalid
from solovirt.kit.json import JsonObject, get_object, get_str
from solovirt.server import bodies, negotiation, parameters, representation
from solovirt.server.call import Call
from solovirt.server.crud import PATCH_ATTEMPTS
from solovirt.server.errors import method_not_allowed, page_not_found

GROUP, VERSION, KIND = "autoscaling", "v1", "Scale"
VERBS = ("get", "patch", "update")


class ScaleSpec(Model):
    replicas: int = 0


class ScaleStatus(Model, omit_defaults=False):
    replicas: int = 0
    selector: str = ""


class Scale(KubeObject):
    spec: ScaleSpec = msgspec.field(default_factory=ScaleSpec)
    status: ScaleStatus = msgspec.field(default_factory=ScaleStatus)


async def serve(call: Call) -> Response:
    """GET, PUT and PATCH. Raises NotFound, BadRequest, Invalid, Conflict, UnsupportedMediaType."""
    declared = call.resource.scale
    if declared is None:
        return page_not_found()
    match call.request.method:
        case "GET":
            return _answer(call, _scale(declared, call.objects.get(call.resource, call.home, call.name)))
        case "PUT":
            return await _update(call, declared)
        case "PATCH":
            return await _patch(call, declared)
    raise method_not_allowed()


def _scale(declared: Declaration[KubeObject], obj: KubeObject) -> Scale:
    meta = obj.metadata
    return Scale(
        api_version=f"{GROUP}/{VERSION}",
        kind=KIND,
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            creation_timestamp=meta.creation_timestamp,
        ),
        spec=ScaleSpec(replicas=declared.wanted(obj)),
        status=ScaleStatus(replicas=declared.present(obj), selector=declared.selector(obj)),
    )


async def _update(call: Call, declared: Declaration[KubeObject]) -> Response:
    dry_run = parameters.dry_run(call.request, "UpdateOptions")
    body = await bodies.read_object(call.request)
    return await _write(call, declared, lambda found: body, dry_run=dry_run)


async def _patch(call: Call, declared: Declaration[KubeObject]) -> Response:
    dry_run = parameters.dry_run(call.request, "PatchOptions")
    content_type = negotiation.patch_type(call.request.headers.get("content-type", ""))
    text = await bodies.read(call.request)

    def patched(found: JsonObject) -> JsonObject:
        # A patch that names no version of its own takes whatever is there.
        get_object(found, "metadata").pop("resourceVersion", None)
        return patch.apply(content_type, found, text)

    return await _write(call, declared, patched, dry_run=dry_run)


async def _write(
    call: Call, declared: Declaration[KubeObject], change: Callable[[JsonObject], JsonObject], *, dry_run: bool
) -> Response:
    """Tried anew when another write came between, unless the client named the version that it means."""
    attempt = 1
    while True:
        obj = call.objects.get(call.resource, call.home, call.name)
        wanted = _checked(call, change(json.to_object(_scale(declared, obj))))
        named = wanted.metadata.resource_version
        obj.metadata.resource_version = named or obj.metadata.resource_version
        declared.want(obj, wanted.spec.replicas)
        try:
            stored = await call.objects.update(call.resource, obj, dry_run=dry_run)
        except Conflict:
            if named or attempt >= PATCH_ATTEMPTS:
                raise
            attempt += 1
            continue
        return _answer(call, _scale(declared, stored))


def _checked(call: Call, body: JsonObject) -> Scale:
    for field, value in (("apiVersion", f"{GROUP}/{VERSION}"), ("kind", KIND)):
        if get_str(body, field) not in ("", value):
            raise BadRequest(f"the {field} in the data ({get_str(body, field)}) does not match the expected {value}")
    bodies.place(body, call.home, call.name)
    try:
        scale = json.convert({**body, "apiVersion": f"{GROUP}/{VERSION}", "kind": KIND}, Scale)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request body is not a Scale: {error}") from None
    replicas = scale.spec.replicas
    if not 0 <= replicas <= MAX_REPLICAS:
        bound = "greater than or equal to 0" if replicas < 0 else f"less than or equal to {MAX_REPLICAS}"
        cause = Cause("FieldValueInvalid", f"Invalid value: {replicas}: must be {bound}", "spec.replicas")
        text = f'{KIND}.{GROUP} "{call.name}" is invalid: {cause.field}: {cause.message}'
        raise Invalid(text, causes=[cause])
    return scale


def _answer(call: Call, scale: Scale) -> Response:
    shape = negotiation.accepted(call.accept)
    if shape.shape == "PartialObjectMetadata":
        return representation.respond(representation.partial(scale, shape.version), shape)
    return representation.respond(scale, shape)
