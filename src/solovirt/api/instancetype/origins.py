"""Where a field of a completed template came from that its author did not write. Pure; for ``explain``."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.expand import FIELD, template_of
from solovirt.api.instancetype.matchers import Matcher
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit.json import Json, to_json

INSTANCETYPE, PREFERENCE = "spec.instancetype.name", "spec.preference.name"


def origins(vm: VirtualMachine, types: Types) -> dict[str, tuple[str, str]]:
    """For each field path that a type filled in: the field that names the type, and the type for people.

    ``{"spec.template.spec.domain.cpu.sockets": ("spec.instancetype.name", "instancetype u1.small")}``.
    """
    if not types:
        return {}
    before = _leaves(vm, Types())
    sized = _leaves(vm, Types(types.instancetype)) if types.instancetype is not None else before
    whole = _leaves(vm, types)
    found: dict[str, tuple[str, str]] = {}
    for path, value in whole.items():
        if before.get(path) == value:
            continue
        if sized.get(path) == value:
            found[path] = (INSTANCETYPE, f"instancetype {_name(vm.spec.instancetype)}")
        else:
            found[path] = (PREFERENCE, f"preference {_name(vm.spec.preference)}")
    return found


def _name(matcher: Matcher | None) -> str:
    return matcher.name if matcher is not None else ""


def _leaves(vm: VirtualMachine, types: Types) -> dict[str, Json]:
    template, _ = template_of(vm, types)
    return dict(_walk(to_json(template.spec), FIELD))


def _walk(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every value and every empty object, by its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{index}]")
    else:
        yield path, value
