"""Which host CPUs the threads of one QEMU run on, and real-time priority of its vCPUs.

Done while the machine has not run yet, so that not one instruction of the guest runs elsewhere. What QEMU says of its
threads is checked: only threads of the very process are touched. Must not know who chose the CPUs.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Iterable
from typing import Protocol

from solovirt.hypervisor.model import Pinning
from solovirt.kit.errors import HostError
from solovirt.kit.json import Json, JsonObject, get_int

log = logging.getLogger(__name__)

_REALTIME_HINT = "run the daemon as root, or give its user real-time priorities (LimitRTPRIO=1 in its systemd unit)"
_CPUS_HINT = "the CPUs must be online and allowed to the daemon (see /sys/fs/cgroup/.../cpuset.cpus.effective)"


class Pinned(Protocol):
    """The instance, as far as it matters here."""

    uid: str
    pid: int

    async def qmp(self, command: str, arguments: JsonObject | None = None) -> Json: ...


async def apply(instance: Pinned, pinning: Pinning) -> None:
    """Pins every thread. May be done again. Raises ``HostError``: PinningFailed, RealtimeNotPermitted."""
    vcpus = thread_ids(await instance.qmp("query-cpus-fast"))
    if len(vcpus) < len(pinning.vcpus):
        text = f"QEMU tells of {len(vcpus)} vCPU threads, expected {len(pinning.vcpus)}"
        raise HostError(text, reason="PinningFailed")
    await asyncio.to_thread(_pin, instance.pid, vcpus, pinning)
    log.info("instance %s: vCPUs on host CPUs %s", instance.uid, ranges(pinning.vcpus))


def thread_ids(reply: Json) -> dict[int, int]:
    """vCPU index -> thread, from the reply of ``query-cpus-fast``."""
    cpus = [cpu for cpu in reply if isinstance(cpu, dict)] if isinstance(reply, list) else []
    return {get_int(cpu, "cpu-index"): get_int(cpu, "thread-id") for cpu in cpus}


def ranges(cpus: Iterable[int]) -> str:
    """A cpuset in the kernel's words: "0-3,8"."""
    parts: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _pin(pid: int, vcpus: dict[int, int], pinning: Pinning) -> None:
    threads = {int(name) for name in os.listdir(f"/proc/{pid}/task")}
    if not set(vcpus.values()) <= threads:
        raise HostError("QEMU tells of vCPU threads that are not its own", reason="PinningFailed")
    others = pinning.emulator or tuple(dict.fromkeys(pinning.vcpus))
    # The main thread first: what it starts from now on inherits its CPUs.
    for thread in sorted(threads - set(vcpus.values()), key=lambda number: number != pid):
        _set_affinity(thread, others)
    for index, thread in vcpus.items():
        # vCPUs beyond those that it starts with share the others' CPUs until they get their own.
        _set_affinity(thread, pinning.vcpus[index : index + 1] or others)
        if index in pinning.realtime:
            _set_realtime(thread)


def _set_affinity(thread: int, cpus: Iterable[int]) -> None:
    try:
        os.sched_setaffinity(thread, cpus)
    except ProcessLookupError:
        return  # a worker thread that has ended meanwhile
    except OSError as error:
        text = f"threads cannot be pinned to host CPUs {ranges(cpus)}: {error.strerror}"
        raise HostError(text, reason="PinningFailed", hint=_CPUS_HINT) from error


def _set_realtime(thread: int) -> None:
    try:
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))
    except OSError as error:
        text = f"vCPU threads cannot get real-time priority: {error.strerror}"
        hint = _REALTIME_HINT if error.errno == errno.EPERM else ""
        raise HostError(text, reason="RealtimeNotPermitted", hint=hint) from error
