"""CPU and memory of a VM as the API tells them: where they stand in objects, and as a person reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object
from solovirt.kit.quantity import format_bytes, to_bytes


@dataclass(frozen=True, slots=True)
class Resource:
    """``path`` is below ``spec.domain``; ``key`` the part of the ``resources`` subresource; ``plugged`` and
    ``requested`` read the status of a VMI (sockets, bytes); ``unit`` writes a count of the subresource. The machine may
    round what was wanted up to a multiple of ``step``."""

    key: str
    path: tuple[str, str]
    kind: str
    plugged: Callable[[JsonObject], int]
    requested: Callable[[JsonObject], int]
    step: int
    unit: Callable[[int], str]

    def asked(self, spec: JsonObject) -> Json:
        """What a VMI's spec asks for; None for nothing."""
        return get_object(get_object(spec, "domain"), self.path[0]).get(self.path[1])

    def patch(self, value: Json) -> JsonObject:
        """A merge patch of a VMI's spec."""
        return {"domain": {self.path[0]: {self.path[1]: value}}}

    def same(self, one: Json, other: Json) -> bool:
        return _amount(one) == _amount(other)

    def reached(self, vmi: JsonObject, wanted: int | str) -> bool:
        """Whether the machine has what was wanted."""
        rounded = self.requested(vmi)
        return self.plugged(vmi) == rounded and 0 <= rounded - to_bytes(wanted) < self.step

    def arrived(self, sizes: JsonObject) -> bool:
        """Whether the guest uses what was wanted; one that does not tell is believed."""
        part = get_object(sizes, self.key)
        guest = part.get("guest")
        return guest is None or guest == part.get("requested")


def _amount(value: Json) -> int | None:
    if not isinstance(value, int | str) or isinstance(value, bool):
        return None
    try:
        return to_bytes(value)
    except ValueError:
        return None


def _sockets(vmi: JsonObject) -> int:
    return get_int(get_object(get_object(vmi, "status"), "currentCPUTopology"), "sockets")


def _bytes(key: str, vmi: JsonObject) -> int:
    return _amount(get_object(get_object(vmi, "status"), "memory").get(key)) or 0


_BLOCK = 2 * 1024**2
"""The unit in which virtio-mem grows; with larger pages whole pages are asked for."""

CPU = Resource("cpu", ("cpu", "sockets"), "HotVCPUChange", _sockets, _sockets, 1, str)
_CURRENT, _REQUESTED = partial(_bytes, "guestCurrent"), partial(_bytes, "guestRequested")
MEMORY = Resource("memory", ("memory", "guest"), "HotMemoryChange", _CURRENT, _REQUESTED, _BLOCK, format_bytes)


def condition(vmi: JsonObject, resource: Resource) -> JsonObject:
    """The condition about this resource; empty for none."""
    for one in get_list(get_object(vmi, "status"), "conditions"):
        if isinstance(one, dict) and one.get("type") == resource.kind:
            return one
    return {}


def shown(sizes: JsonObject, resource: Resource) -> str:
    """One line."""
    numbers = zip(("requested", "plugged", "seen by the guest"), cells(sizes, resource), strict=True)
    return ", ".join(f"{number} {word}" for word, number in numbers)


def cells(sizes: JsonObject, resource: Resource) -> list[str]:
    """Requested, plugged, seen by the guest; a dash for what nobody knows."""
    part = get_object(sizes, resource.key)
    values = [part.get(key) for key in ("requested", "plugged", "guest")]
    return [resource.unit(value) if isinstance(value, int) else "-" for value in values]
