"""``subresources.solovirt.io``: what solovirt offers beyond KubeVirt: agent, exec, logs, explain, images."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.api import registry
from solovirt.hypervisor.model import ExecResult
from solovirt.kit import json
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import Json, JsonObject
from solovirt.server import bodies, imagery, logs, parameters
from solovirt.server.call import Services
from solovirt.server.errors import method_not_allowed, page_not_found
from solovirt.server.interfaces import ExecRequest, LogSource
from solovirt.server.requestinfo import RequestInfo
from solovirt.server.subresources import VMIS, VMS, Handler, Target

GROUP = "subresources.solovirt.io"
VERSION = "v1"
IMAGES = "images"

MAX_ARGUMENTS = 4096
EXEC_LIMIT = 24 * 1024 * 1024
"""Bytes of an exec request: 16 MiB of input, the guest agent's limit, in base64."""
MAX_TIMEOUT = 86400.0

T = TypeVar("T")


class AgentBody(msgspec.Struct, forbid_unknown_fields=True):
    command: str
    arguments: dict[str, object] = msgspec.field(default_factory=dict)


class ExecBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``input`` is base64; ``env`` holds NAME=VALUE strings."""

    command: list[str]
    env: list[str] = msgspec.field(default_factory=list)
    input: str = ""
    timeout_seconds: float = 60.0


async def serve(request: Request, services: Services, info: RequestInfo) -> ASGIApp:
    """Raises what the operation raises; an unknown path is a plain 404."""
    if info.version != VERSION:
        return page_not_found()
    if not info.namespace and info.plural == IMAGES:
        reference = "/".join((info.name, *info.subresource)) if info.name else ""
        return await imagery.serve(request, services, reference)
    methods = ACTIONS.get((info.plural, *info.subresource))
    if methods is None or not info.namespace:
        return page_not_found()
    handler = methods.get(request.method)
    if handler is None:
        raise method_not_allowed()
    return await handler(Target(request, services, info.namespace, info.name))


async def _agent(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), AgentBody)
    if not body.command:
        raise BadRequest("command: required", field="command")
    arguments = json.to_object(body.arguments)
    value = await target.services.operations.agent_command(target.namespace, target.name, body.command, arguments)
    return answer({"return": value})


async def _exec(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request, EXEC_LIMIT), ExecBody)
    result = await target.services.operations.guest_exec(target.namespace, target.name, exec_request(body))
    return answer(exec_answer(result))


def exec_request(body: ExecBody) -> ExecRequest:
    """Raises BadRequest for a command, environment, input or time that cannot be meant."""
    if not body.command or not body.command[0]:
        raise BadRequest("command: at least one word is required", field="command")
    if len(body.command) > MAX_ARGUMENTS or len(body.env) > MAX_ARGUMENTS:
        raise BadRequest(f"command and env hold at most {MAX_ARGUMENTS} entries")
    for index, pair in enumerate(body.env):
        if not pair.partition("=")[0] or "=" not in pair:
            raise BadRequest(f"env[{index}]: expected NAME=VALUE", field=f"env[{index}]")
    if any("\0" in text for text in (*body.command, *body.env)):
        raise BadRequest("command and env must not contain NUL characters")
    if not 0 < body.timeout_seconds <= MAX_TIMEOUT:
        raise BadRequest(f"timeoutSeconds: must be above 0 and at most {MAX_TIMEOUT:g}", field="timeoutSeconds")
    try:
        given = base64.b64decode(body.input, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"input: not base64: {error}", field="input") from error
    return ExecRequest(command=tuple(body.command), env=tuple(body.env), input=given, timeout=body.timeout_seconds)


def exec_answer(result: ExecResult) -> JsonObject:
    return {
        "exitCode": result.exit_code,
        "signal": result.signal,
        "stdout": base64.b64encode(result.stdout).decode(),
        "stderr": base64.b64encode(result.stderr).decode(),
        "stdoutTruncated": result.stdout_truncated,
        "stderrTruncated": result.stderr_truncated,
    }


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


ACTIONS: Mapping[tuple[str, ...], Mapping[str, Handler]] = {
    (VMIS, "agent"): {"POST": _agent},
    (VMIS, "exec"): {"POST": _exec},
    (VMIS, "logs"): {"GET": _logs},
    (VMS, "explain"): {"GET": _explain},
}


def typed(body: JsonObject, kind: type[T]) -> T:
    """The body as ``kind``. Raises BadRequest naming the field."""
    try:
        return json.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request body does not fit: {error}") from error


def answer(value: Json) -> Response:
    return Response(json.encode(value), media_type="application/json")
