"""What a VMI wants of this host and cannot have now: memory, huge pages, CPUs of its own, real-time priorities.

Each lack is told in the scheduler's words ("Insufficient cpu") with the command or setting that would help. Machines
without dedicated CPUs share all of the host's: they may have more vCPUs than it has, as with KubeVirt's overcommit.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import cpupool, hugepages
from solovirt.host.cpupool import HostCPU
from solovirt.host.dedicated import PAGE, guest_memory, is_dedicated, page_size, realtime, request
from solovirt.host.model.bindings import CPUPlacement
from solovirt.host.model.facts import HostFacts

NOT_HERE = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True, slots=True)
class Lack:
    """``reason`` as the scheduler would give it; ``help`` is a sentence."""

    reason: str
    help: str


def place(
    spec: VirtualMachineInstanceSpec, cpus: tuple[HostCPU, ...], taken: frozenset[int]
) -> tuple[CPUPlacement | None, list[Lack]]:
    """CPUs of its own for a machine that wants them, or why not."""
    if not is_dedicated(spec):
        return None, []
    wanted = request(spec)
    found = cpupool.allocate(wanted, cpus, taken)
    if found is not None:
        return found, []
    count = wanted.vcpus + wanted.isolate_emulator
    free = len([cpu for cpu in cpus if cpu.number not in taken])
    text = f"dedicatedCpuPlacement wants {count} host CPUs for itself, {free} of {len(cpus)} are free"
    return None, [Lack("Insufficient cpu", f"{text}: use fewer CPUs, or stop a VM that has CPUs of its own")]


def lacks(spec: VirtualMachineInstanceSpec, facts: HostFacts, *, hugepage_root: Path = hugepages.POOLS) -> list[Lack]:
    """What is missing apart from CPUs."""
    found: list[Lack] = []
    memory, page = guest_memory(spec), page_size(spec)
    if page > PAGE:
        found += _hugepages(spec, memory, page, hugepage_root)
    elif facts.memory and memory > facts.memory:
        have = facts.memory // (1 << 20)
        found.append(
            Lack("Insufficient memory", f"the guest wants {memory >> 20} MiB, this host has {have} MiB in all")
        )
    if realtime(spec) and not _may_be_realtime():
        text = "real-time vCPUs need a daemon that runs as root, or LimitRTPRIO=1 in its systemd unit"
        found.append(Lack(NOT_HERE, text))
    return found


def _hugepages(spec: VirtualMachineInstanceSpec, memory: int, page: int, root: Path) -> list[Lack]:
    wanted = -(-memory // page)
    free = hugepages.free(page, root=root)
    text = spec.domain.memory.hugepages.page_size if spec.domain.memory and spec.domain.memory.hugepages else ""
    reason = f"Insufficient hugepages-{text}"
    if free is None:
        return [
            Lack(reason, f"this kernel has no huge pages of {text}: boot it with hugepagesz={text.removesuffix('i')}")
        ]
    if free >= wanted:
        return []
    command = hugepages.reserve_command(page, hugepages.total(page, root=root) + wanted - free, root=root)
    return [Lack(reason, f"the guest wants {wanted} pages of {text}, {free} are free: {command}")]


def _may_be_realtime() -> bool:
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_RTPRIO)[0] != 0
