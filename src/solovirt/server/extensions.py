"""``subresources.solovirt.io``: what solovirt offers beyond KubeVirt: agent, exec, logs, explain, images."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.api import registry
from solovirt.kit.errors import BadRequest
from solovirt.server import (
    dump_actions,
    figures,
    guest_actions,
    guest_exec_actions,
    guest_files_actions,
    guest_freeze_actions,
    guest_power_actions,
    imagery,
    logs,
    machine_actions,
    parameters,
    size_actions,
    volume_actions,
)
from solovirt.server.actions import VMIS, VMS, Actions, Target, answer
from solovirt.server.call import Services
from solovirt.server.errors import method_not_allowed, page_not_found
from solovirt.server.interfaces import LogSource
from solovirt.server.requestinfo import RequestInfo

GROUP = "subresources.solovirt.io"
VERSION = "v1"
IMAGES = "images"


async def serve(request: Request, services: Services, info: RequestInfo) -> ASGIApp:
    """Raises what the operation raises; an unknown path is a plain 404."""
    if info.version != VERSION:
        return page_not_found()
    if not info.namespace and info.plural == IMAGES:
        reference = "/".join((info.name, *info.subresource)) if info.name else ""
        return await imagery.serve(request, services, reference)
    if info.plural == figures.PLURAL and not info.subresource:
        return await figures.serve(request, services, info)
    methods = ACTIONS.get((info.plural, *info.subresource))
    if methods is None or not info.namespace:
        return page_not_found()
    handler = methods.get(request.method)
    if handler is None:
        raise method_not_allowed()
    return await handler(Target(request, services, info.namespace, info.name))


async def _logs(target: Target) -> ASGIApp:
    request = target.request
    source: LogSource
    match request.query_params.get("source", "serial"):
        case "serial" | "":
            source = "serial"
        case "qemu":
            source = "qemu"
        case other:
            raise BadRequest(f'source: unknown log "{other}": serial or qemu', field="source")
    tail = parameters.integer(request, "tailLines")
    path = await target.services.operations.logs(target.namespace, target.name, source)
    follow = _follow(target) if parameters.flag(request, "follow") else None
    return logs.LogAnswer(await logs.open_log(path, tail), follow)


def _follow(target: Target) -> Callable[[], bool]:
    """Go on while the daemon runs and this very instance has not come to its end."""
    services, resource = target.services, registry.VIRTUAL_MACHINE_INSTANCES
    uid = services.objects.get(resource, target.namespace, target.name).metadata.uid

    def goes_on() -> bool:
        if services.lifetime.over:
            return False
        found = services.objects.find(resource, target.namespace, target.name)
        return found is not None and found.metadata.uid == uid and found.status.phase not in ("Succeeded", "Failed")

    return goes_on


async def _explain(target: Target) -> Response:
    return answer(await target.services.operations.explain(target.namespace, target.name))


ACTIONS: Actions = {
    **guest_actions.ACTIONS,
    **guest_exec_actions.ACTIONS,
    **guest_files_actions.ACTIONS,
    **guest_freeze_actions.OWN,
    **guest_power_actions.ACTIONS,
    **volume_actions.MEDIA,
    **machine_actions.OWN,
    **dump_actions.OWN,
    **size_actions.ACTIONS,
    (VMIS, "logs"): {"GET": _logs},
    (VMS, "explain"): {"GET": _explain},
}
