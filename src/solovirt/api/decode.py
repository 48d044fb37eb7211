"""Plain JSON values into API structs, with every error at once.

The fast path is ``msgspec.convert``; only when that refuses, ``api.walker`` looks at the whole value and says all that
is wrong with it. Null fields count as absent. Defaults and validation come later.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from solovirt.api.causes import NOT_SUPPORTED, REQUIRED
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.api.walker import Finding, got, walk
from solovirt.kit.errors import BadRequest, Cause, Invalid
from solovirt.kit.json import Json, JsonObject, convert
from solovirt.kit.linemap import LineMap

T = TypeVar("T", bound=KubeObject)
Mode = Literal["Strict", "Warn", "Ignore"]


class Decoded(msgspec.Struct, Generic[T], frozen=True):
    """``warnings`` are unknown fields that were left out (mode Warn; in templates' metadata Strict, too)."""

    object: T
    warnings: list[str] = []


def decode(resource: Resource[T], value: Json, *, mode: Mode = "Strict", lines: LineMap | None = None) -> Decoded[T]:
    """A typed object of ``resource``'s kind.

    Raises ``BadRequest`` for wrong types and (Strict) unknown fields, ``Invalid`` if the only problems are missing
    fields and fields that KubeVirt knows and solovirt does not do. ``lines`` puts "file:line:column: " before messages.
    """
    whole = _checked_type(resource, value, lines)
    try:
        return Decoded(convert(whole, resource.type))
    except msgspec.ValidationError:
        pass
    cleaned, findings = walk(resource.type, whole)
    lenient = ("kept",) if mode == "Strict" else ("kept", "unknown")
    left_out = [found for found in findings if found.kind in lenient]
    findings = [found for found in findings if found.kind not in lenient]
    if findings:
        raise _refusal(findings, _also_wrong(resource, cleaned), lines)
    try:
        decoded = convert(cleaned, resource.type)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
    return Decoded(decoded, [_text(found, lines) for found in left_out] if mode != "Ignore" else [])


def _checked_type(resource: Resource[T], value: Json, lines: LineMap | None) -> JsonObject:
    """The object with its apiVersion and kind, which may be left out but not be another's."""
    prefix = lines.prefix(()) if lines is not None else ""
    if not isinstance(value, dict):
        raise BadRequest(f"{prefix}expected an object of kind {resource.kind}, got {got(value)}")
    for name, wanted in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        found = value.get(name)
        if found not in (None, "", wanted):
            place = lines.prefix(name) if lines is not None else ""
            text = f"{place}the {name} in the data ({str(found)[:100]}) does not match the expected one ({wanted})"
            raise BadRequest(text, field=name)
    return {**value, "apiVersion": resource.api_version, "kind": resource.kind}


def _also_wrong(resource: Resource[T], cleaned: Json) -> list[Cause]:
    """What validation says of the rest, so that one look shows every mistake; nothing if the rest is no object."""
    try:
        rest = convert(cleaned, resource.type)
    except msgspec.ValidationError:
        return []
    resource.default(rest)
    return resource.validate(rest, None)


def _refusal(findings: list[Finding], more: list[Cause], lines: LineMap | None) -> BadRequest | Invalid:
    told = [(_REASONS[found.kind], found.path, _text(found, lines)) for found in findings]
    told += [(cause.reason, cause.field, _place(cause.field, lines) + cause.message) for cause in more]
    texts = [text for _, _, text in told]
    causes = [Cause(reason, text, path) for reason, path, text in told]
    kinds = {found.kind for found in findings}
    if lines is not None:
        error = Invalid if kinds <= {"unsupported", "missing"} else BadRequest
        return error("\n".join(texts), causes=causes)
    if kinds <= {"unsupported", "missing"}:
        return Invalid(", ".join(texts), causes=causes)
    start = "strict decoding error: " if "unknown" in kinds else ""
    return BadRequest(start + ", ".join(texts), causes=causes)


_REASONS = {
    "unknown": "FieldValueNotSupported",
    "unsupported": NOT_SUPPORTED,
    "missing": REQUIRED,
    "type": "FieldValueTypeInvalid",
}


def _text(found: Finding, lines: LineMap | None) -> str:
    return _place(found.path, lines) + found.message


def _place(field: str, lines: LineMap | None) -> str:
    return lines.prefix(field) if lines is not None else ""
