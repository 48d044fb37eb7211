"""kubectl's client-side apply for kinds without a strategic patch: a three-way JSON merge patch (RFC 7396).

``last`` is what was applied before (kept in an annotation), ``live`` what the server has, ``wanted`` the manifest now.
Lists are replaced whole. Fields that somebody else set stay.
"""

from __future__ import annotations

import json

from solovirt.kit.jsontypes import Json, JsonObject, get_object, get_str

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def with_annotation(manifest: JsonObject) -> JsonObject:
    """A copy of the manifest that carries itself, as kubectl leaves it."""
    metadata = dict(get_object(manifest, "metadata"))
    annotations = {k: v for k, v in get_object(metadata, "annotations").items() if k != ANNOTATION}
    bare = {**manifest, "metadata": {**metadata, "annotations": annotations}}
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True) + "\n"
    return {**manifest, "metadata": {**metadata, "annotations": {**annotations, ANNOTATION: text}}}


def last_applied(live: JsonObject) -> JsonObject:
    """What was applied before, or {} when the object was made otherwise."""
    text = get_str(get_object(get_object(live, "metadata"), "annotations"), ANNOTATION)
    try:
        value: Json = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def patch(last: JsonObject, live: JsonObject, wanted: JsonObject) -> JsonObject:
    """The merge patch that brings ``live`` to ``wanted``: additions, changes, and removals of what ``last`` had."""
    result: JsonObject = {}
    for key, value in wanted.items():
        if key not in live:
            result[key] = value
        elif isinstance(value, dict) and isinstance(there := live[key], dict):
            before = last.get(key)
            if inner := patch(before if isinstance(before, dict) else {}, there, value):
                result[key] = inner
        elif value != live[key]:
            result[key] = value
    for key in last:
        if key not in wanted and key in live:
            result[key] = None
    return result


def merged(original: JsonObject, change: JsonObject) -> JsonObject:
    """``original`` with the merge patch applied (RFC 7396)."""
    result = dict(original)
    for key, value in change.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result


def disagreements(ours: JsonObject, theirs: JsonObject, path: str = "") -> list[str]:
    """The fields that two merge patches of one object set to different values."""
    found: list[str] = []
    for key in ours.keys() & theirs.keys():
        mine, other = ours[key], theirs[key]
        if isinstance(mine, dict) and isinstance(other, dict):
            found += disagreements(mine, other, f"{path}{key}.")
        elif mine != other:
            found.append(f"{path}{key}")
    return sorted(found)
