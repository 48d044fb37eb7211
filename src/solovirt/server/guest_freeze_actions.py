"""Freezing and thawing: KubeVirt's ``freeze`` and ``unfreeze``, and, of our own group, how it stands.

Source: kubevirt pkg/virt-handler/rest/lifecycle.go (FreezeHandler).
"""

from __future__ import annotations

from starlette.responses import Response

from solovirt.kit.durations import parse_go
from solovirt.kit.errors import BadRequest
from solovirt.server.actions import VMIS, Actions, Target, answer, dry_run, options

MAX_TIMEOUT = 86400.0


async def _freeze(target: Target) -> Response:
    given = await options(target, {"unfreezeTimeout": str})
    text = given.get("unfreezeTimeout")
    if not isinstance(text, str):
        raise BadRequest("Unfreeze timeout in freeze request is not set", field="unfreezeTimeout")
    try:
        timeout = parse_go(text)
    except ValueError as error:
        raise BadRequest(f"unfreezeTimeout: {error}", field="unfreezeTimeout") from error
    if not 0 <= timeout <= MAX_TIMEOUT:
        raise BadRequest("unfreezeTimeout: must be at least 0s (never) and at most 24h", field="unfreezeTimeout")
    freezer = target.services.operations.guest_work.freezer
    if dry_run(given):
        await freezer.status(target.namespace, target.name)
    else:
        await freezer.freeze(target.namespace, target.name, timeout)
    return Response(status_code=200)


async def _unfreeze(target: Target) -> Response:
    freezer = target.services.operations.guest_work.freezer
    if dry_run(await options(target, {})):
        await freezer.status(target.namespace, target.name)
    else:
        await freezer.thaw(target.namespace, target.name)
    return Response(status_code=200)


async def _status(target: Target) -> Response:
    return answer(await target.services.operations.guest_work.freezer.status(target.namespace, target.name))


KUBEVIRT: Actions = {
    (VMIS, "freeze"): {"PUT": _freeze},
    (VMIS, "unfreeze"): {"PUT": _unfreeze},
}
OWN: Actions = {(VMIS, "freeze"): {"GET": _status}}
