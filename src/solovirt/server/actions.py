"""What handlers of subresources share: the request and its options, the body as a type, the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.kit import json
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import Json, JsonObject
from solovirt.server import bodies, parameters
from solovirt.server.call import Services

T = TypeVar("T")

VMS = "virtualmachines"
VMIS = "virtualmachineinstances"


@dataclass(frozen=True, slots=True)
class Target:
    """One subresource request."""

    request: Request
    services: Services
    namespace: str
    name: str


Handler = Callable[[Target], Awaitable[ASGIApp]]
"""Raises what the operation raises."""

Actions = Mapping[tuple[str, ...], Mapping[str, Handler]]
"""Plural and subresource to methods."""


async def options(target: Target, fields: Mapping[str, type]) -> JsonObject:
    """The body's options. Raises BadRequest for unknown fields and wrong types: nothing is accepted and ignored."""
    given = await bodies.read_options(target.request)
    known: dict[str, type] = {"dryRun": list, "kind": str, "apiVersion": str, **fields}
    for key, value in given.items():
        wanted = known.get(key)
        if wanted is None:
            raise BadRequest(f'strict decoding error: unknown field "{key}"', field=key)
        if value is not None and type(value) is not wanted:
            raise BadRequest(f"{key}: expected {_WORDS[wanted]}", field=key)
    return given


_WORDS: Mapping[type, str] = {list: "a list", str: "a string", bool: "true or false", int: "an integer"}


def seconds(options: JsonObject, key: str) -> int | None:
    value = options.get(key)
    if not isinstance(value, int):
        return None
    if value < 0:
        raise BadRequest(f"{key}: must not be negative", field=key)
    return value


def dry_run(options: JsonObject) -> bool:
    values = options.get("dryRun")
    return parameters.is_dry_run([str(value) for value in values], "Options") if isinstance(values, list) else False


def typed(body: JsonObject, kind: type[T]) -> T:
    """The body as ``kind``. Raises BadRequest naming the field."""
    try:
        return json.convert(body, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the request body does not fit: {error}") from error


def answer(value: Json) -> Response:
    return Response(json.encode(value), media_type="application/json")
