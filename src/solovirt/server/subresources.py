"""``subresources.kubevirt.io``: start, stop, restart, pause, unpause, what the guest agent tells, version.

Source: KubeVirt's pkg/virt-api/rest; codes and refusals as measured from a real virt-api. Bodies may be empty, JSON or
YAML, with or without a Content-Type: virtctl sends none.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.kit.errors import BadRequest
from solovirt.server import (
    bodies,
    dump_actions,
    expanding,
    guest_freeze_actions,
    machine_actions,
    versions,
    volume_actions,
)
from solovirt.server.actions import VMIS, VMS, Actions, Target, answer, dry_run, options, seconds
from solovirt.server.call import Services
from solovirt.server.errors import method_not_allowed, page_not_found
from solovirt.server.requestinfo import RequestInfo

GROUP = "subresources.kubevirt.io"
VERSIONS = ("v1", "v1alpha3")
CONSOLE = "console"
EXPAND_VM = "expand-vm-spec"


async def serve(request: Request, services: Services, info: RequestInfo) -> ASGIApp:
    """Raises what the operation raises; an unknown path is a plain 404."""
    if info.version not in VERSIONS:
        return page_not_found()
    if not info.namespace and not info.name:
        return await _group_level(request, info.plural)
    if info.namespace and not info.name:
        return await _in_namespace(request, services, info)
    methods = ACTIONS.get((info.plural, *info.subresource))
    if methods is None or not info.namespace:
        return page_not_found()
    handler = methods.get(request.method)
    if handler is None:
        raise method_not_allowed()
    return await handler(Target(request, services, info.namespace, info.name))


async def _in_namespace(request: Request, services: Services, info: RequestInfo) -> Response:
    """``expand-vm-spec``: a VirtualMachine in, the same with its types applied out."""
    if info.plural != EXPAND_VM:
        return page_not_found()
    if request.method != "PUT":
        raise method_not_allowed()
    body = await bodies.read_object(request)
    return answer(expanding.expand_given(services.objects, info.namespace, body))


async def _group_level(request: Request, plural: str) -> Response:
    if plural not in ("version", "healthz"):
        return page_not_found()
    if request.method != "GET":
        raise method_not_allowed()
    if plural == "version":
        return answer(versions.kubevirt())
    return answer({"apiserver": {"connectivity": "ok", "version": versions.kubernetes()}})


async def _start(target: Target) -> Response:
    given = await options(target, {"paused": bool})
    await target.services.operations.start(
        target.namespace, target.name, paused=given.get("paused") is True, dry_run=dry_run(given)
    )
    return Response(status_code=202)


async def _stop(target: Target) -> Response:
    given = await options(target, {"gracePeriod": int})
    await target.services.operations.stop(
        target.namespace, target.name, grace_period=seconds(given, "gracePeriod"), dry_run=dry_run(given)
    )
    return Response(status_code=202)


async def _restart(target: Target) -> Response:
    given = await options(target, {"gracePeriodSeconds": int})
    grace = seconds(given, "gracePeriodSeconds")
    if grace:
        raise BadRequest("For force restart, only gracePeriod=0 is supported for now", field="gracePeriodSeconds")
    await target.services.operations.restart(target.namespace, target.name, grace_period=grace, dry_run=dry_run(given))
    return Response(status_code=202)


async def _pause(target: Target) -> Response:
    given = await options(target, {})
    await target.services.operations.machine.pause(target.namespace, target.name, dry_run=dry_run(given))
    return Response(status_code=200)


async def _unpause(target: Target) -> Response:
    given = await options(target, {})
    await target.services.operations.machine.unpause(target.namespace, target.name, dry_run=dry_run(given))
    return Response(status_code=200)


async def _guest_os_info(target: Target) -> Response:
    return answer(await target.services.operations.guest.guest_os_info(target.namespace, target.name))


async def _user_list(target: Target) -> Response:
    return answer(await target.services.operations.guest.user_list(target.namespace, target.name))


async def _filesystem_list(target: Target) -> Response:
    return answer(await target.services.operations.guest.filesystem_list(target.namespace, target.name))


async def _expand(target: Target) -> Response:
    return answer(expanding.expand_stored(target.services.objects, target.namespace, target.name))


async def _console_without_upgrade(target: Target) -> Response:
    raise BadRequest("websocket: the client is not using the websocket protocol: no 'upgrade' in its request")


ACTIONS: Actions = {
    (VMS, "start"): {"PUT": _start},
    (VMS, "stop"): {"PUT": _stop},
    (VMS, "restart"): {"PUT": _restart},
    (VMS, "expand-spec"): {"GET": _expand},
    (VMIS, "pause"): {"PUT": _pause},
    (VMIS, "unpause"): {"PUT": _unpause},
    (VMIS, CONSOLE): {"GET": _console_without_upgrade},
    (VMIS, "guestosinfo"): {"GET": _guest_os_info},
    (VMIS, "userlist"): {"GET": _user_list},
    (VMIS, "filesystemlist"): {"GET": _filesystem_list},
    **guest_freeze_actions.KUBEVIRT,
    **volume_actions.ACTIONS,
    **machine_actions.KUBEVIRT,
    **dump_actions.KUBEVIRT,
}
