"""From a request for a resource to its handler: verbs, subresources, and the errors that become a Status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.api import registry
from solovirt.api.registry import AnyResource
from solovirt.kit.errors import SolovirtError
from solovirt.server import (
    crud,
    deleting,
    extensions,
    listing,
    parameters,
    requestinfo,
    scale,
    subresources,
    watching,
)
from solovirt.server.call import Call, Services
from solovirt.server.errors import failure_response, method_not_allowed, page_not_found
from solovirt.server.requestinfo import RequestInfo

_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class Resources:
    """Everything below ``/api/v1`` and ``/apis/GROUP/VERSION``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def serve(self, request: Request) -> ASGIApp:
        info = requestinfo.parse(request.scope["path"])
        if info is None:
            return page_not_found()
        resource = None
        try:
            if info.group == subresources.GROUP:
                resource = registry.find("kubevirt.io", "v1", info.plural)
                return await subresources.serve(request, self._services, info)
            if info.group == extensions.GROUP:
                resource = registry.find("kubevirt.io", "v1", info.plural)
                return await extensions.serve(request, self._services, info)
            resource = registry.find(info.group, info.version, info.plural)
            if resource is None or not _fits(info, resource):
                return page_not_found()
            return await _handle(Call(request, self._services, info, resource))
        except SolovirtError as error:
            return failure_response(error, resource, info.name)


def _fits(info: RequestInfo, resource: AnyResource) -> bool:
    """Whether this path exists for such a kind: the rest is a plain 404."""
    if info.namespace and not resource.namespaced:
        return False
    if info.subresource and (info.watch or info.subresource not in _subresources(resource)):
        return False
    return not (info.name and resource.namespaced and not info.namespace)


def _subresources(resource: AnyResource) -> list[tuple[str, ...]]:
    status = [("status",)] if resource.has_status else []
    return [*status, *([("scale",)] if resource.scale is not None else [])]


async def _handle(call: Call) -> ASGIApp:
    method, verbs = call.request.method, call.resource.verbs
    if call.info.watch:
        if method != "GET" or "watch" not in verbs:
            raise method_not_allowed()
        return watching.watch_objects(call)
    if call.info.subresource:
        return await (scale.serve(call) if call.info.subresource == ("scale",) else _status(call))
    verb = (_OBJECT_VERBS if call.name else _COLLECTION_VERBS).get(method, "")
    if verb == "list" and parameters.flag(call.request, "watch"):
        verb = "watch"
    if verb not in verbs:
        raise method_not_allowed()
    if verb == "watch":
        return watching.watch_objects(call)
    return await _HANDLERS[verb](call)


_HANDLERS: Mapping[str, Callable[[Call], Awaitable[Response]]] = {
    "get": crud.get,
    "list": listing.list_objects,
    "create": crud.create,
    "update": crud.update,
    "patch": crud.apply_patch,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
}


async def _status(call: Call) -> Response:
    match call.request.method:
        case "GET":
            return await crud.get(call)
        case "PUT":
            return await crud.update(call, of_status=True)
        case "PATCH":
            return await crud.apply_patch(call, of_status=True)
    raise method_not_allowed()
