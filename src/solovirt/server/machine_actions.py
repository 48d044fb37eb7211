"""Subresources of the machine itself: reboots, screenshot (KubeVirt's); NMI, keys, its monitor (ours)."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from solovirt.kit import json
from solovirt.kit.errors import BadRequest
from solovirt.server import bodies, parameters
from solovirt.server.actions import VMIS, Actions, Target, answer, options, typed


class KeysBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``keys`` are chords such as ctrl-alt-delete; ``hold_time`` is in milliseconds."""

    keys: list[str] = msgspec.field(default_factory=list)
    text: str = ""
    hold_time: int = 20


class MonitorBody(msgspec.Struct, forbid_unknown_fields=True):
    command: str
    arguments: dict[str, object] = msgspec.field(default_factory=dict)
    confirm: bool = False


async def _soft_reboot(target: Target) -> Response:
    await options(target, {})
    await target.services.operations.machine.soft_reboot(target.namespace, target.name)
    return Response(status_code=200)


async def _reset(target: Target) -> Response:
    await options(target, {})
    await target.services.operations.machine.reset(target.namespace, target.name)
    return Response(status_code=200)


async def _screenshot(target: Target) -> Response:
    picture = await target.services.operations.machine.screenshot(
        target.namespace, target.name, move_cursor=parameters.flag(target.request, "moveCursor")
    )
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


async def _nmi(target: Target) -> Response:
    await options(target, {})
    await target.services.operations.machine.nmi(target.namespace, target.name)
    return Response(status_code=200)


async def _send_keys(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), KeysBody)
    await target.services.operations.machine.send_keys(
        target.namespace, target.name, body.keys, text=body.text, hold=body.hold_time / 1000
    )
    return Response(status_code=200)


async def _qmp(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), MonitorBody)
    if not body.command:
        raise BadRequest("command: required", field="command")
    value = await target.services.operations.machine.qmp(
        target.namespace, target.name, body.command, json.to_object(body.arguments), confirmed=body.confirm
    )
    return answer({"return": value})


KUBEVIRT: Actions = {
    (VMIS, "softreboot"): {"PUT": _soft_reboot},
    (VMIS, "reset"): {"PUT": _reset},
    (VMIS, "vnc", "screenshot"): {"GET": _screenshot},
}

OWN: Actions = {
    (VMIS, "nmi"): {"PUT": _nmi},
    (VMIS, "sendkeys"): {"PUT": _send_keys},
    (VMIS, "qmp"): {"POST": _qmp},
}
