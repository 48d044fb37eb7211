"""JSON at the boundary: the only module that may say ``Any``.

Everything else sees ``Json`` values and narrows them with the helpers below.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of plain values and msgspec structs."""
    return _encoder.encode(value)


def decode(data: bytes | str) -> Json:
    """Any JSON document. Raises ``msgspec.DecodeError`` (a ``ValueError``) with the byte offset."""
    return cast(Json, _decoder.decode(data))


def decode_object(data: bytes | str) -> JsonObject:
    """A JSON document whose top is an object; raises ``ValueError`` otherwise."""
    value = decode(data)
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def to_json(value: object) -> Json:
    """Plain JSON values of a struct (fields that hold their default are left out where the struct says so)."""
    return cast(Json, msgspec.to_builtins(value))


def to_object(value: object) -> JsonObject:
    plain = to_json(value)
    if not isinstance(plain, dict):
        raise TypeError(f"{type(value).__name__} is not an object")
    return plain


def convert(value: object, kind: type[T]) -> T:
    """Typed view of plain values; raises ``msgspec.ValidationError`` at the first mismatch."""
    return msgspec.convert(value, kind)


def clone(value: T) -> T:
    return copy.deepcopy(value)


def pretty(value: object) -> str:
    """Two-space indented JSON text."""
    return msgspec.json.format(encode(value), indent=2).decode()


def get_object(value: Mapping[str, Json], key: str) -> JsonObject:
    """``value[key]`` if it is an object, else an empty one (not attached to ``value``)."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def get_list(value: Mapping[str, Json], key: str) -> list[Json]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def get_str(value: Mapping[str, Json], key: str, default: str = "") -> str:
    found = value.get(key)
    return found if isinstance(found, str) else default


def get_int(value: Mapping[str, Json], key: str, default: int = 0) -> int:
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def as_any(value: object) -> Any:
    """For third-party interfaces that are untyped."""
    return value
