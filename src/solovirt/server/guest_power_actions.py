"""``subresources.solovirt.io`` of guests that sleep: ``suspend``, ``wakeup``."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.responses import Response

from solovirt.kit.errors import BadRequest
from solovirt.server import bodies
from solovirt.server.actions import VMIS, Actions, Target, typed

MAX_TIMEOUT = 3600.0


class SuspendBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``disk`` switches the machine off; ``timeoutSeconds`` is how long the guest may take."""

    mode: Literal["ram", "disk", "hybrid"] = "ram"
    timeout_seconds: float = 60.0


async def _suspend(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), SuspendBody)
    if not 0 < body.timeout_seconds <= MAX_TIMEOUT:
        raise BadRequest(f"timeoutSeconds: must be above 0 and at most {MAX_TIMEOUT:g}", field="timeoutSeconds")
    power = target.services.operations.guest_power
    await power.suspend(target.namespace, target.name, body.mode, timeout=body.timeout_seconds)
    return Response(status_code=200)


async def _wakeup(target: Target) -> Response:
    typed(await bodies.read_options(target.request), Empty)
    await target.services.operations.guest_power.wakeup(target.namespace, target.name)
    return Response(status_code=200)


class Empty(msgspec.Struct, forbid_unknown_fields=True):
    """No options."""


ACTIONS: Actions = {
    (VMIS, "suspend"): {"PUT": _suspend},
    (VMIS, "wakeup"): {"PUT": _wakeup},
}
