"""Compares a plain value with a struct type and finds everything that does not fit.

``msgspec.convert`` stops at the first error; this goes on. It runs only after ``convert`` refused, so it may be slow.
Knows msgspec's type descriptions, nothing of kinds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import inspect

from solovirt.api.causes import KNOWN_UNSUPPORTED, shown
from solovirt.api.meta import Model
from solovirt.kit.json import Json, JsonObject
from solovirt.kit.names import nearest

FindingKind = Literal["unknown", "kept", "unsupported", "missing", "type"]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_FINDINGS = 100


class Finding(msgspec.Struct, frozen=True):
    """One misfit: its kind, its field path (``spec.disks[0].name``) and a sentence that names the path.

    ``kept`` is an unknown field where Kubernetes keeps unknown fields: in the metadata of templates.
    """

    kind: FindingKind
    path: str
    message: str


def walk(kind: type[Model], value: JsonObject) -> tuple[JsonObject, list[Finding]]:
    """``value`` without null and unknown fields, and what does not fit (at most 100 findings)."""
    walker = _Walker()
    cleaned = walker.struct(_described(kind), value, "")
    return cleaned, walker.findings


@lru_cache(maxsize=64)
def _described(kind: type[Model]) -> inspect.StructType:
    described = inspect.type_info(kind)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{kind.__name__} is not a struct")
    return described


class _Walker(msgspec.Struct):
    findings: list[Finding] = []

    def add(self, kind: FindingKind, path: str, message: str) -> None:
        if len(self.findings) < _MAX_FINDINGS:
            self.findings.append(Finding(kind, path, message))

    def struct(self, described: inspect.StructType, value: JsonObject, path: str) -> JsonObject:
        fields = {item.encode_name: item for item in described.fields}
        unsupported = _unsupported(described)
        cleaned: JsonObject = {}
        for key, item in value.items():
            place = _join(path, key)
            if key in unsupported and item is not None:
                self.add("unsupported", place, f"{place}: {KNOWN_UNSUPPORTED}")
            elif key not in fields:
                if item is not None or key not in unsupported:
                    self._unknown(place, path, key, [*fields, *unsupported])
            elif item is not None:
                cleaned[key] = self.value(fields[key].type, item, place)
        for name, expected in fields.items():
            if expected.required and value.get(name) is None:
                self.add("missing", _join(path, name), f"{_join(path, name)}: Required value")
        return cleaned

    def _unknown(self, place: str, path: str, key: str, known: list[str]) -> None:
        if path == "status" or path.startswith("status.") or len(self.findings) >= _MAX_FINDINGS:
            return
        guess = nearest(key, known)
        hint = f', did you mean "{_join(path, guess)}"?' if guess is not None else ""
        self.add("kept" if path.endswith(".metadata") else "unknown", place, f'unknown field "{place}"{hint}')

    def value(self, described: inspect.Type, value: Json, path: str) -> Json:
        """``value`` cleaned, if it can be of the described type; otherwise a finding."""
        choices = described.types if isinstance(described, inspect.UnionType) else (described,)
        for choice in choices:
            if _fits(choice, value):
                return self._inside(choice, value, path)
        wanted = " or ".join(name for name in dict.fromkeys(_NAMES.get(type(choice), "") for choice in choices) if name)
        self.add("type", path, f"{path}: expected {wanted}, got {got(value)}")
        return value

    def _inside(self, described: inspect.Type, value: Json, path: str) -> Json:
        if isinstance(described, inspect.StructType) and isinstance(value, dict):
            return self.struct(described, value, path)
        if isinstance(described, inspect.ListType) and isinstance(value, list):
            return [self.value(described.item_type, item, f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(described, inspect.DictType) and isinstance(value, dict):
            items = value.items()
            if isinstance(described.value_type, inspect.CustomType | inspect.AnyType):
                return value
            return {
                key: self.value(described.value_type, item, _join(path, key)) for key, item in items if item is not None
            }
        return value


def _unsupported(described: inspect.StructType) -> frozenset[str]:
    cls = described.cls
    return cls.__known_unsupported__ if issubclass(cls, Model) else frozenset()


_NAMES: dict[type[inspect.Type], str] = {
    inspect.StructType: "an object",
    inspect.DictType: "an object",
    inspect.ListType: "a list",
    inspect.StrType: "a string",
    inspect.IntType: "an integer",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
}


_SHAPES: dict[type[inspect.Type], type | tuple[type, ...]] = {
    inspect.StructType: dict,
    inspect.DictType: dict,
    inspect.ListType: list,
    inspect.BoolType: bool,
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.FloatType: (int, float),
    inspect.AnyType: object,
    inspect.CustomType: object,
}


def _fits(described: inspect.Type, value: Json) -> bool:
    """Whether the outer shape of ``value`` is the described one. A boolean is no number."""
    if isinstance(value, bool) and not isinstance(described, inspect.BoolType | inspect.AnyType | inspect.CustomType):
        return False
    shape = _SHAPES.get(type(described))
    return shape is not None and isinstance(value, shape)


def got(value: Json) -> str:
    """What a wrong value is, for people: ``the string "two"``, ``a list``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{shown(value)}"'
    if isinstance(value, int | float):
        return f"the number {shown(value)}"
    return "a list" if isinstance(value, list) else "an object"


def _join(path: str, key: str) -> str:
    """``spec`` + ``cpu`` = ``spec.cpu``; keys that are no plain words go in brackets."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{shown(key)}]"
    return f"{path}.{key}" if path else key
