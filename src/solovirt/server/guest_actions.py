"""``subresources.solovirt.io`` of the guest agent: any command, exec."""

from __future__ import annotations

import base64
import binascii

import msgspec
from starlette.responses import Response

from solovirt.hypervisor.model import ExecResult
from solovirt.kit import json
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import JsonObject
from solovirt.server import bodies
from solovirt.server.actions import VMIS, Actions, Target, answer, typed
from solovirt.server.interfaces import ExecRequest

MAX_ARGUMENTS = 4096
EXEC_LIMIT = 24 * 1024 * 1024
"""Bytes of an exec request: 16 MiB of input, the guest agent's limit, in base64."""
MAX_TIMEOUT = 86400.0


class AgentBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``timeoutSeconds``: how long the guest may take for its answer."""

    command: str
    arguments: dict[str, object] = msgspec.field(default_factory=dict)
    timeout_seconds: float = 10.0


class ExecBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``input`` is base64; ``env`` holds NAME=VALUE strings."""

    command: list[str]
    env: list[str] = msgspec.field(default_factory=list)
    input: str = ""
    timeout_seconds: float = 60.0


async def _agent(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), AgentBody)
    if not body.command:
        raise BadRequest("command: required", field="command")
    _check_timeout(body.timeout_seconds)
    value = await target.services.operations.guest.agent_command(
        target.namespace,
        target.name,
        body.command,
        json.to_object(body.arguments),
        timeout=body.timeout_seconds,
    )
    return answer({"return": value})


async def _exec(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request, EXEC_LIMIT), ExecBody)
    result = await target.services.operations.guest.guest_exec(target.namespace, target.name, exec_request(body))
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
    _check_timeout(body.timeout_seconds)
    try:
        given = base64.b64decode(body.input, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"input: not base64: {error}", field="input") from error
    return ExecRequest(command=tuple(body.command), env=tuple(body.env), input=given, timeout=body.timeout_seconds)


def _check_timeout(seconds: float) -> None:
    if not 0 < seconds <= MAX_TIMEOUT:
        raise BadRequest(f"timeoutSeconds: must be above 0 and at most {MAX_TIMEOUT:g}", field="timeoutSeconds")


def exec_answer(result: ExecResult) -> JsonObject:
    return {
        "exitCode": result.exit_code,
        "signal": result.signal,
        "stdout": base64.b64encode(result.stdout).decode(),
        "stderr": base64.b64encode(result.stderr).decode(),
        "stdoutTruncated": result.stdout_truncated,
        "stderrTruncated": result.stderr_truncated,
    }


ACTIONS: Actions = {
    (VMIS, "agent"): {"POST": _agent},
    (VMIS, "exec"): {"POST": _exec},
}
