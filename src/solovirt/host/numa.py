"""The NUMA nodes of this host: their CPUs, memory and pools of huge pages. Source: Linux sysfs, devices/system/node."""

from __future__ import annotations

import re
from pathlib import Path

from solovirt.host.cpupool import parse_ranges
from solovirt.host.model.facts import HostNode

_NODES = Path("/sys/devices/system/node")
_NAME = re.compile(r"node([0-9]{1,5})")
_POOL = re.compile(r"hugepages-([0-9]{1,9})kB")
_MEMORY = re.compile(r"MemTotal:\s+([0-9]{1,15}) kB")


def nodes(root: Path = _NODES) -> tuple[HostNode, ...]:
    """In order of their numbers; empty where the kernel tells none."""
    try:
        numbers = sorted(int(found[1]) for entry in root.iterdir() if (found := _NAME.fullmatch(entry.name)))
    except OSError:
        return ()
    return tuple(_node(root / f"node{number}", number) for number in numbers)


def _node(folder: Path, number: int) -> HostNode:
    memory = _MEMORY.search(_text(folder / "meminfo"))
    try:
        cpus = tuple(sorted(parse_ranges(_text(folder / "cpulist"))))
    except ValueError:
        cpus = ()
    return HostNode(number, cpus, int(memory[1]) * 1024 if memory is not None else 0, _pools(folder / "hugepages"))


def _pools(folder: Path) -> dict[int, int]:
    """Page size in bytes -> pages."""
    try:
        found = {match[1]: entry for entry in folder.iterdir() if (match := _POOL.fullmatch(entry.name))}
    except OSError:
        return {}
    counts = {int(size) * 1024: _text(entry / "nr_hugepages").strip() for size, entry in found.items()}
    return {size: int(count) for size, count in sorted(counts.items()) if count.isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
