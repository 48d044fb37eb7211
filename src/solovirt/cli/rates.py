"""What machines do per second: the difference of two answers of the server's ``figures``. Pure.

The server counts, its clock measures the time between. Must not know terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

Number = int | float


class Row(NamedTuple):
    """One machine. Rates are per second; None is what is not known. ``cpu`` is in per cent of the whole host, ``vcpus``
    and ``delays`` in per cent of one CPU each; ``guest_used`` and the like are bytes."""

    namespace: str
    name: str
    cpu: float | None
    vcpus: tuple[float, ...]
    delays: tuple[float, ...]
    resident: Number | None
    domain: Number | None
    balloon: Number | None
    guest_used: Number | None
    reads: float | None
    writes: float | None
    read_bytes: float | None
    write_bytes: float | None
    rx_bytes: float | None
    tx_bytes: float | None
    uptime: Number | None
    errors: tuple[str, ...]


SORTS: Mapping[str, Callable[[Row], tuple[Number | str, ...]]] = {
    "cpu": lambda row: (-(row.cpu or 0), row.namespace, row.name),
    "memory": lambda row: (-(row.resident or 0), row.namespace, row.name),
    "disk": lambda row: (-((row.read_bytes or 0) + (row.write_bytes or 0)), row.namespace, row.name),
    "network": lambda row: (-((row.rx_bytes or 0) + (row.tx_bytes or 0)), row.namespace, row.name),
    "uptime": lambda row: (-(row.uptime or 0), row.namespace, row.name),
    "name": lambda row: (row.namespace, row.name),
}
"""Largest first, names from A to Z."""


def rows(before: JsonObject, now: JsonObject, sort: str = "cpu") -> list[Row]:
    """``before`` and ``now`` are FiguresLists. A machine that was not there before has no rates yet."""
    cpus = max(get_int(get_object(now, "host"), "cpus", 1), 1)
    earlier = {uid: item for uid, item in _items(before)}
    return sorted((_row(earlier.get(uid, {}), item, cpus) for uid, item in _items(now)), key=SORTS[sort])


def _items(answer: JsonObject) -> list[tuple[str, JsonObject]]:
    found = [item for item in get_list(answer, "items") if isinstance(item, dict)]
    return [(get_str(get_object(item, "metadata"), "uid"), item) for item in found]


def _row(before: JsonObject, item: JsonObject, cpus: int) -> Row:
    metadata, old, new = get_object(item, "metadata"), get_object(before, "figures"), get_object(item, "figures")
    seconds = (_number(new, "at") or 0) - (_number(old, "at") or 0) if old and new else 0.0
    process, memory = get_object(new, "process"), get_object(new, "memory")

    def rate(kind: str, *keys: str) -> float | None:
        return _rate(_total(old, kind, keys), _total(new, kind, keys), seconds)

    cpu = rate("process", "user", "system")
    return Row(
        namespace=get_str(metadata, "namespace"),
        name=get_str(metadata, "name"),
        cpu=cpu * 100 / cpus if cpu is not None else None,
        vcpus=_each(old, new, "seconds", seconds),
        delays=_each(old, new, "delay", seconds),
        resident=_number(process, "resident"),
        domain=_number(memory, "domain"),
        balloon=_number(memory, "balloon"),
        guest_used=_used(get_object(memory, "guest")),
        reads=rate("disks", "reads"),
        writes=rate("disks", "writes"),
        read_bytes=rate("disks", "readBytes"),
        write_bytes=rate("disks", "writeBytes"),
        rx_bytes=rate("nics", "rxBytes"),
        tx_bytes=rate("nics", "txBytes"),
        uptime=_number(process, "uptime"),
        errors=tuple(error for error in get_list(item, "errors") if isinstance(error, str)),
    )


def _number(value: JsonObject, key: str) -> Number | None:
    found = value.get(key)
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _total(figures: JsonObject, kind: str, keys: tuple[str, ...]) -> float | None:
    """The sum over all disks (NICs, ...); None where there are none."""
    found: Json = figures.get(kind)
    parts = [part for part in (found if isinstance(found, list) else [found]) if isinstance(part, dict)]
    if not parts:
        return None
    return sum(_number(part, key) or 0 for part in parts for key in keys)


def _rate(before: float | None, now: float | None, seconds: float) -> float | None:
    """A counter that has gone back began anew: the guest was reset, or its driver loaded again."""
    if before is None or now is None or seconds <= 0:
        return None
    return max(now - before, 0.0) / seconds


def _each(old: JsonObject, new: JsonObject, key: str, seconds: float) -> tuple[float, ...]:
    """Of each vCPU, in per cent of a CPU."""
    before = {get_int(vcpu, "index"): vcpu for vcpu in get_list(old, "vcpus") if isinstance(vcpu, dict)}
    found = []
    for vcpu in get_list(new, "vcpus"):
        if isinstance(vcpu, dict):
            rate = _rate(_number(before.get(get_int(vcpu, "index"), {}), key), _number(vcpu, key), seconds)
            found.append((rate or 0.0) * 100)
    return tuple(found)


def _used(guest: JsonObject) -> Number | None:
    total, available = _number(guest, "total"), _number(guest, "available")
    available = available if available is not None else _number(guest, "free")
    return max(total - available, 0) if total is not None and available is not None else None
