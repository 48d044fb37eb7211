"""The manifest that an import makes, and what could not be carried over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from solovirt.kit.jsontypes import Json, JsonObject

_NOT_LABEL = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Loss:
    """``what`` is the option or element as it stood there, ``why`` one sentence: what becomes of it."""

    what: str
    why: str


@dataclass(slots=True)
class Draft:
    """``spec`` is a VMI spec under construction. ``notes`` are things to do before the first start."""

    name: str = "imported"
    spec: JsonObject = field(default_factory=lambda: {"domain": {}})
    losses: list[Loss] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    annotations: dict[str, Json] = field(default_factory=dict)
    """Of the VMI."""
    _lost: set[Loss] = field(default_factory=set, repr=False, compare=False)

    def put(self, path: str, value: Json) -> None:
        """Set ``domain.cpu.cores`` and the like below the spec, making the objects on the way."""
        *outer, last = path.split(".")
        place = self.spec
        for step in outer:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                raise TypeError(f"{path} goes through a value")
            place = inner
        place[last] = value

    def items(self, path: str) -> list[Json]:
        """The list at ``path``, made when it is missing."""
        *outer, last = path.split(".")
        place = self.spec
        for step in outer:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                raise TypeError(f"{path} goes through a value")
            place = inner
        found = place.setdefault(last, [])
        if not isinstance(found, list):
            raise TypeError(f"{path} is no list")
        return found

    def add(self, path: str, item: JsonObject) -> None:
        self.items(path).append(item)

    def lose(self, what: str, why: str) -> None:
        loss = Loss(what, why)
        if loss not in self._lost:
            self._lost.add(loss)
            self.losses.append(loss)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def free_name(self, wish: str, path: str) -> str:
        """A DNS label near ``wish`` that no item of the list at ``path`` has."""
        taken = {item.get("name") for item in self.items(path) if isinstance(item, dict)}
        base = label(wish) or "device"
        name, number = base, 2
        while name in taken:
            name = f"{base[:58]}-{number}"
            number += 1
        return name

    def manifest(self) -> JsonObject:
        """A VirtualMachine that does not start by itself."""
        template: JsonObject = {"spec": _pruned(self.spec)}
        if self.annotations:
            template = {"metadata": {"annotations": self.annotations}, **template}
        return {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"name": self.name},
            "spec": {"runStrategy": "Halted", "template": template},
        }


def label(text: str) -> str:
    """``text`` as a DNS label, "" when nothing of it can stay."""
    return _NOT_LABEL.sub("-", text.lower())[:63].strip("-")


def quantity(size: int) -> str:
    """Bytes as people write them: the greatest binary unit that fits."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _pruned(value: JsonObject) -> JsonObject:
    """Without lists that stayed empty; an empty object may mean something."""
    return {
        key: _pruned(item) if isinstance(item, dict) else item
        for key, item in value.items()
        if not (isinstance(item, list) and not item)
    }
