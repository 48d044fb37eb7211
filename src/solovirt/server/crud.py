"""Create, get, update, patch and delete of one object, and the ``/status`` subresource.

Source: Kubernetes API concepts and apiserver's handlers; messages as measured from a real API server.
"""

from __future__ import annotations

from starlette.responses import Response

from solovirt.api import patch
from solovirt.api.decode import Decoded, decode
from solovirt.api.meta import KubeObject
from solovirt.kit.errors import Conflict, SolovirtError
from solovirt.kit.json import JsonObject, get_object, to_object
from solovirt.server import bodies, listing, negotiation, parameters, representation
from solovirt.server.call import Call
from solovirt.server.errors import method_not_allowed
from solovirt.server.parameters import FieldValidation

PATCH_ATTEMPTS = 5
"""How often a patch without a resourceVersion is tried anew against a newer object, as in apiserver."""


async def get(call: Call) -> Response:
    """Raises NotFound."""
    shape = negotiation.accepted(call.accept)
    listing.check_version(parameters.resource_version(call.request), call.objects.revision)
    obj = call.objects.get(call.resource, call.home, call.name)
    return representation.respond(representation.body(call, obj, shape), shape)


async def create(call: Call) -> Response:
    """Raises BadRequest, Invalid, AlreadyExists, NotFound (namespace)."""
    shape = negotiation.accepted(call.accept)
    dry_run = parameters.dry_run(call.request, "CreateOptions")
    mode = parameters.field_validation(call.request, "CreateOptions")
    if call.namespace is None:
        raise method_not_allowed()
    body = await bodies.read_object(call.request)
    bodies.place(body, call.home, "")
    decoded = _decode(call, body, mode, keep_status=False)
    if decoded.object.metadata.resource_version:
        raise SolovirtError("resourceVersion should not be set on objects to be created")
    obj = await call.objects.create(call.resource, decoded.object, dry_run=dry_run)
    made = representation.body(call, obj, shape)
    return representation.respond(made, shape, code=201, warnings=decoded.warnings)


async def update(call: Call, *, of_status: bool = False) -> Response:
    """Raises BadRequest, Invalid, NotFound, Conflict."""
    shape = negotiation.accepted(call.accept)
    dry_run = parameters.dry_run(call.request, "UpdateOptions")
    mode = parameters.field_validation(call.request, "UpdateOptions")
    body = await bodies.read_object(call.request)
    bodies.place(body, call.home, call.name)
    decoded = _decode(call, body, mode, keep_status=of_status)
    obj = await _write(call, decoded.object, of_status=of_status, dry_run=dry_run)
    return representation.respond(representation.body(call, obj, shape), shape, warnings=decoded.warnings)


async def apply_patch(call: Call, *, of_status: bool = False) -> Response:
    """JSON patch or merge patch. Raises BadRequest, Invalid, NotFound, Conflict, UnsupportedMediaType."""
    shape = negotiation.accepted(call.accept)
    dry_run = parameters.dry_run(call.request, "PatchOptions")
    mode = parameters.field_validation(call.request, "PatchOptions")
    content_type = negotiation.patch_type(call.request.headers.get("content-type", ""))
    text = await bodies.read(call.request)
    attempt = 1
    while True:
        current = call.objects.get(call.resource, call.home, call.name)
        version = current.metadata.resource_version
        representation.stamp(call.resource, current)
        body = patch.apply(content_type, to_object(current), text)
        bodies.place(body, call.home, call.name)
        decoded = _decode(call, body, mode, keep_status=of_status)
        chosen = decoded.object.metadata.resource_version
        # A patch that takes the version out is one that does not care; one that changes it wants that very version.
        decoded.object.metadata.resource_version = chosen or version
        try:
            obj = await _write(call, decoded.object, of_status=of_status, dry_run=dry_run)
        except Conflict:
            newest = call.objects.get(call.resource, call.home, call.name).metadata.resource_version
            if attempt >= PATCH_ATTEMPTS or chosen not in ("", version) or newest == version:
                raise
            attempt += 1
            continue
        return representation.respond(representation.body(call, obj, shape), shape, warnings=decoded.warnings)


def _decode(call: Call, body: JsonObject, mode: FieldValidation, *, keep_status: bool) -> Decoded[KubeObject]:
    """A client's status counts on ``/status`` only: elsewhere it is dropped before anybody looks at it."""
    bodies.check_type(call.resource, body)
    # Nobody tracks field managers here; a copy from another server would be taken for the truth.
    get_object(body, "metadata").pop("managedFields", None)
    if call.resource.has_status and not keep_status:
        body.pop("status", None)
    decoded = decode(call.resource, body, mode=mode)
    if not keep_status:
        decoded.warnings.extend(call.resource.warn(decoded.object))
    return decoded


async def _write(call: Call, obj: KubeObject, *, of_status: bool, dry_run: bool) -> KubeObject:
    if of_status:
        return await call.objects.update_status(call.resource, obj, dry_run=dry_run)
    return await call.objects.update(call.resource, obj, dry_run=dry_run)
