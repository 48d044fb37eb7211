"""JSON at the boundary: the only module that may say ``Any``.

Everything else sees ``Json`` values and narrows them with the helpers below.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

import msgspec

from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

__all__ = (
    "Json",
    "JsonObject",
    "as_any",
    "canonical",
    "clone",
    "convert",
    "decode",
    "decode_object",
    "encode",
    "get_int",
    "get_list",
    "get_object",
    "get_str",
    "pretty",
    "to_json",
    "to_object",
)

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_sorted = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder()


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of plain values and msgspec structs."""
    return _encoder.encode(value)


def canonical(value: object) -> bytes:
    """The same bytes for equal values, whatever the order of their keys and fields: for hashes."""
    return _sorted.encode(value)


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


def as_any(value: object) -> Any:
    """For third-party interfaces that are untyped."""
    return value
