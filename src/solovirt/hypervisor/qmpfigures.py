"""Figures out of QEMU's replies: disks, memory, balloon. Pure.

QEMU is not trusted (a guest may have taken it over): a reply of another shape gives no figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from solovirt.hypervisor.figures import Disk, GuestMemory, Memory
from solovirt.kit.json import Json, JsonObject, get_int, get_object, get_str
from solovirt.kit.text import printable

MAX_DISKS = 256
_NANOSECOND = 1e-9
_QDEV = re.compile(r"/machine/peripheral/(?:ua-)?([^/]+)(?:/.*)?|(?:ua-)?([^/]+)")
_UNKNOWN = 1 << 63
"""The balloon says -1 as an unsigned number for what the guest does not tell."""


def disks(reply: Json) -> tuple[Disk, ...]:
    """``query-blockstats``: one for each device of the guest, by its id without ``ua-``; nodes without one are none."""
    return tuple(_disks(reply))[:MAX_DISKS]


def _disks(reply: Json) -> Iterator[Disk]:
    for entry in reply if isinstance(reply, list) else []:
        if not isinstance(entry, dict):
            continue
        name = drive_name(get_str(entry, "qdev"))
        if not name:
            continue
        stats = get_object(entry, "stats")
        yield Disk(
            name=name,
            reads=_count(stats, "rd_operations"),
            writes=_count(stats, "wr_operations"),
            flushes=_count(stats, "flush_operations"),
            read_bytes=_count(stats, "rd_bytes"),
            write_bytes=_count(stats, "wr_bytes"),
            read_seconds=_count(stats, "rd_total_time_ns") * _NANOSECOND,
            write_seconds=_count(stats, "wr_total_time_ns") * _NANOSECOND,
            flush_seconds=_count(stats, "flush_total_time_ns") * _NANOSECOND,
        )


def drive_name(qdev: str) -> str:
    """``/machine/peripheral/ua-root/virtio-backend`` -> ``root``; "" for a device without an id."""
    found = _QDEV.fullmatch(qdev)
    return printable(found[1] or found[2], 253) if found is not None else ""


def memory(size: Json, balloon: Json, stats: Json) -> Memory | None:
    """``query-memory-size-summary``; ``query-balloon`` and its ``guest-stats`` (None: there is no balloon)."""
    if not isinstance(size, dict):
        return None
    actual = _known(balloon, "actual") if isinstance(balloon, dict) else None
    return Memory(_count(size, "base-memory") + _count(size, "plugged-memory"), actual, _guest(stats))


def _guest(reply: Json) -> GuestMemory | None:
    if not isinstance(reply, dict) or not (updated := _count(reply, "last-update")):
        return None
    stats = get_object(reply, "stats")
    return GuestMemory(
        updated=updated,
        total=_known(stats, "stat-total-memory"),
        free=_known(stats, "stat-free-memory"),
        available=_known(stats, "stat-available-memory"),
        caches=_known(stats, "stat-disk-caches"),
        swap_in=_known(stats, "stat-swap-in"),
        swap_out=_known(stats, "stat-swap-out"),
        major_faults=_known(stats, "stat-major-faults"),
        minor_faults=_known(stats, "stat-minor-faults"),
    )


def _count(value: JsonObject, key: str) -> int:
    return min(max(get_int(value, key), 0), _UNKNOWN)


def _known(value: JsonObject, key: str) -> int | None:
    found = get_int(value, key, -1)
    return found if 0 <= found < _UNKNOWN else None
