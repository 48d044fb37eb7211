"""The type of JSON values and the helpers that narrow them. No JSON library: the CLI's hot path imports it."""

from __future__ import annotations

from collections.abc import Mapping

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]


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
