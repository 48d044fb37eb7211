"""Figures about this host for guests that may read them (downwardMetrics). Blocks for a moment: reads /proc and /sys.

Names, units and meanings are KubeVirt's (pkg/downwardmetrics/scraper), which are vhostmd's.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from solovirt.host.volumes.metrics import Metric

_KIB = 1024
_CPU_FIELDS = (1, 2, 3)
"""user, nice and system in the first line of /proc/stat (proc(5))."""
_MEMORY = ("MemTotal", "MemFree", "SwapTotal", "SwapFree", "Buffers", "Cached", "SwapCached")


def host_figures(node: str, product: str, *, root: Path = Path("/")) -> list[Metric]:
    """``node`` is this host's name, ``product`` what runs guests ("qemu-7.2.22"). What cannot be read is left out."""
    found = [
        Metric("host", "HostName", node),
        Metric("host", "HostSystemInfo", "linux"),
        Metric("host", "VirtualizationVendor", "kubevirt.io"),
        Metric("host", "VirtProductInfo", product),
        Metric("host", "NumberOfPhysicalCPUs", _packages(root)),
    ]
    seconds = _cpu_seconds(_lines(root / "proc/stat"))
    if seconds is not None:
        found.append(Metric("host", "TotalCPUTime", seconds, "s"))
    found += _memory(root)
    found += _swapped(root)
    return [*found, Metric("host", "Time", int(time.time()), "s")]


def _packages(root: Path) -> int:
    cpus = root / "sys/devices/system/cpu"
    names = {"".join(_lines(path)) for path in cpus.glob("cpu[0-9]*/topology/physical_package_id")}
    return max(len(names), 1)


def _cpu_seconds(lines: list[str]) -> float | None:
    words = lines[0].split() if lines else []
    try:
        return sum(int(words[field]) for field in _CPU_FIELDS) / os.sysconf("SC_CLK_TCK")
    except (IndexError, ValueError):
        return None


def _memory(root: Path) -> list[Metric]:
    table = _table(_lines(root / "proc/meminfo"))
    if not all(name in table for name in _MEMORY[:2]):
        return []
    total, free, swap, swap_free, buffers, cached, swap_cached = (table.get(name, 0) for name in _MEMORY)
    return [
        Metric("host", "FreePhysicalMemory", free, "KiB"),
        Metric("host", "FreeVirtualMemory", free + swap_free, "KiB"),
        Metric("host", "MemoryAllocatedToVirtualServers", total - free - buffers - cached, "KiB"),
        Metric("host", "UsedVirtualMemory", total + swap - free - cached - buffers - swap_cached, "KiB"),
    ]


def _swapped(root: Path) -> list[Metric]:
    table = _table(_lines(root / "proc/vmstat"))
    names = {"pswpin": "PagedInMemory", "pswpout": "PagedOutMemory"}
    page = os.sysconf("SC_PAGE_SIZE")
    return [Metric("host", names[key], table[key] * page // _KIB, "KiB") for key in names if key in table]


def _table(lines: list[str]) -> dict[str, int]:
    """``name value`` or ``name: value kB``."""
    pairs = (line.replace(":", " ").split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) > 1 and pair[1].isdecimal()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
