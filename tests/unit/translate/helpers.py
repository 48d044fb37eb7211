from __future__ import annotations

from solovirt.kit.jsontypes import Json
from solovirt.translate.draft import Draft


def at(draft: Draft, path: str) -> Json:
    """The value at ``path`` of the spec, None when it is not there; list items by number."""
    value: Json = draft.spec
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def lost(draft: Draft) -> list[str]:
    return [loss.what for loss in draft.losses]
