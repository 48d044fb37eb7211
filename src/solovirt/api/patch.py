"""JSON patch (RFC 6902, by the jsonpatch library) and JSON merge patch (RFC 7396) of plain objects."""

from __future__ import annotations

from solovirt.kit.errors import BadRequest, Invalid, UnsupportedMediaType
from solovirt.kit.json import Json, JsonObject, as_any, clone, decode, encode
from solovirt.kit.text import printable

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
ACCEPTED = (JSON_PATCH, MERGE_PATCH)

MAX_BYTES = 3 * 1024 * 1024
_MAX_OPERATIONS = 10_000
_MAX_COPIED = MAX_BYTES
"""Bytes that all ``copy`` operations of one patch may add: without a limit, 40 of them double an object 40 times."""


def apply(content_type: str, original: JsonObject, patch: bytes) -> JsonObject:
    """The patched object; ``original`` stays as it is.

    Raises ``BadRequest`` for a malformed patch, ``Invalid`` for one that does not fit the object (a JSON patch whose
    ``test`` fails or whose path is missing), ``UnsupportedMediaType`` for any other content type.
    """
    if len(patch) > MAX_BYTES:
        raise BadRequest(f"the patch is larger than {MAX_BYTES} bytes")
    media = content_type.partition(";")[0].strip().lower()
    try:
        if media == MERGE_PATCH:
            return _merge_patch(original, _decoded(patch))
        if media == JSON_PATCH:
            return _json_patch(original, _decoded(patch))
    except RecursionError:
        raise BadRequest("the patch makes the object too deep") from None
    raise UnsupportedMediaType(
        "the body of the request was in an unknown format - accepted media types include: " + ", ".join(ACCEPTED)
    )


def _decoded(patch: bytes) -> Json:
    try:
        return decode(patch)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"error decoding patch: {error}") from None


def _merge_patch(original: JsonObject, patch: Json) -> JsonObject:
    if not isinstance(patch, dict):
        raise BadRequest("a merge patch must be an object")
    merged = merge(clone(original), patch)
    if not isinstance(merged, dict):
        raise BadRequest("a merge patch must be an object")
    return merged


def merge(target: Json, patch: Json) -> Json:
    """RFC 7396 section 2. Null deletes, objects merge, everything else replaces. Changes ``target`` in place."""
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _json_patch(original: JsonObject, patch: Json) -> JsonObject:
    if not isinstance(patch, list):
        raise BadRequest("a JSON patch must be a list of operations")
    if len(patch) > _MAX_OPERATIONS:
        raise BadRequest(f"the allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(patch)}")
    patched: Json = clone(original)
    copied = 0
    for index, operation in enumerate(patch):
        if isinstance(operation, dict) and operation.get("op") == "copy":
            copied += _copied_size(patched, operation.get("from"))
            if copied > _MAX_COPIED:
                raise BadRequest(f"the copy operations of the patch add more than {_MAX_COPIED} bytes")
        patched = _operate(patched, operation, index)
    if not isinstance(patched, dict):
        raise Invalid("the patched object is not an object")
    return patched


def _operate(target: Json, operation: Json, index: int) -> Json:
    """One operation, in place. Messages name the operation and never repeat the object, which may be a Secret."""
    import jsonpatch
    import jsonpointer

    place = f"operation {index}"
    if isinstance(operation, dict):
        place += printable(f" ({operation.get('op')} {operation.get('path')})", 200)
    try:
        patched: Json = jsonpatch.apply_patch(as_any(target), as_any([operation]), in_place=True)
    except (jsonpatch.InvalidJsonPatch, TypeError, AttributeError) as error:
        raise BadRequest(f"error decoding patch: {place}: {printable(str(error), 200)}") from None
    except jsonpatch.JsonPatchTestFailed:
        raise _rejected(place, "the value is not the tested one") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, KeyError, IndexError, ValueError):
        raise _rejected(place, "there is nothing at that path, or it does not fit") from None
    return patched


def _rejected(place: str, why: str) -> Invalid:
    return Invalid(f"the server rejected our request due to an error in our request: {place}: {why}")


def _copied_size(target: Json, pointer: Json) -> int:
    import jsonpointer

    try:
        return len(encode(jsonpointer.resolve_pointer(as_any(target), as_any(pointer))))
    except (jsonpointer.JsonPointerException, TypeError, AttributeError):
        return 0  # the operation itself will say what is wrong
