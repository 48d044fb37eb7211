"""Figures of QEMU's process and threads, out of /proc. Sources: proc(5), sched-stats of the kernel.

Reading these files never waits for a disk or for the guest, so it may be done on the event loop. Must not know QMP.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from solovirt.hypervisor.figures import Process, Vcpu

PROC = Path("/proc")
_UTIME, _STIME, _THREADS, _START, _RSS = 11, 12, 17, 19, 21
"""Places in /proc/PID/stat behind the name in brackets."""
_NANOSECOND = 1e-9
_COUNTERS = {
    "rx_bytes": "tx_bytes",
    "rx_packets": "tx_packets",
    "rx_errors": "tx_errors",
    "rx_dropped": "tx_dropped",
    "tx_bytes": "rx_bytes",
    "tx_packets": "rx_packets",
    "tx_errors": "rx_errors",
    "tx_dropped": "rx_dropped",
}
"""The guest's counter -> the tap device's: what it sends to the guest the guest receives."""


def process(pid: int, *, root: Path = PROC) -> Process | None:
    """None when it is gone."""
    words = _stat(root / str(pid) / "stat")
    if len(words) <= _RSS:
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return Process(
        user=int(words[_UTIME]) / ticks,
        system=int(words[_STIME]) / ticks,
        resident=int(words[_RSS]) * os.sysconf("SC_PAGE_SIZE"),
        uptime=max(time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[_START]) / ticks, 0.0),
        threads=int(words[_THREADS]),
    )


def vcpus(pid: int, threads: Mapping[int, int], *, root: Path = PROC) -> tuple[Vcpu, ...]:
    """``threads`` is vCPU index -> thread. Threads that are gone are left out: a vCPU was unplugged, or QEMU ended."""
    waits = _waits_are_counted(root)
    found = (_vcpu(root / str(pid) / "task" / str(thread), index, waits=waits) for index, thread in threads.items())
    return tuple(sorted((vcpu for vcpu in found if vcpu is not None), key=lambda vcpu: vcpu.index))


def interface(name: str, *, root: Path = Path("/sys/class/net")) -> dict[str, int] | None:
    """Counters of a tap device, turned round to the guest's side, by the field of ``figures.Nic``; None: not there."""
    try:
        return {ours: int((root / name / "statistics" / theirs).read_text()) for ours, theirs in _COUNTERS.items()}
    except (OSError, ValueError):
        return None


def _vcpu(task: Path, index: int, *, waits: bool) -> Vcpu | None:
    words = _text(task / "schedstat").split()
    try:
        # schedstat counts nanoseconds; where the kernel lacks it there are the ticks of stat.
        if len(words) >= 2 and words[0] != "0":
            seconds, delay = int(words[0]) * _NANOSECOND, int(words[1]) * _NANOSECOND
        else:
            stat = _stat(task / "stat")
            seconds, delay = (int(stat[_UTIME]) + int(stat[_STIME])) / os.sysconf("SC_CLK_TCK"), None
    except (IndexError, ValueError):
        return None
    return Vcpu(index, seconds, delay, _wait(task) if waits else None, _affinity(int(task.name)))


def _affinity(thread: int) -> int | None:
    try:
        return len(os.sched_getaffinity(thread))
    except OSError:
        return None


def _waits_are_counted(root: Path) -> bool:
    return _text(root / "sys/kernel/sched_schedstats").strip() == "1"


def _wait(task: Path) -> float | None:
    """wait_sum of /proc/PID/task/TID/sched, which is in milliseconds."""
    for line in _text(task / "sched").splitlines():
        name, _, value = line.partition(":")
        if name.strip().rpartition(".")[2] == "wait_sum":
            try:
                return float(value) / 1000
            except ValueError:
                return None
    return None


def _stat(path: Path) -> list[str]:
    """The fields behind the command's name, which may hold anything."""
    return _text(path).rpartition(")")[2].split()


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("ascii", "replace")
    except OSError:
        return ""
