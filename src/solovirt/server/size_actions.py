"""``subresources.solovirt.io``: CPU and memory of a running machine as wanted, as plugged, as the guest uses them."""

from __future__ import annotations

from starlette.responses import Response

from solovirt.server.actions import VMIS, Actions, Target, answer


async def _read(target: Target) -> Response:
    return answer(await target.services.operations.sizes.read(target.namespace, target.name))


ACTIONS: Actions = {(VMIS, "resources"): {"GET": _read}}
