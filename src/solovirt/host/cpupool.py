"""Host CPUs for machines that want them for themselves: which are free, which go together. Pure but for ``topology``.

CPUs of one NUMA node are given before those of several, hardware threads of one core side by side. Source of the rules:
Kubernetes' static CPU manager, kubevirt pkg/virt-launcher/virtwrap/converter/vcpu. Must not know VMs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from solovirt.host.model.bindings import CPUPlacement, NumaCell
from solovirt.host.model.facts import HostNode
from solovirt.kit.errors import HostError

_SYSTEM = Path("/sys/devices/system")
RESERVED = "SOLOVIRT_RESERVED_CPUS"
"""Environment: CPUs ("0-1,8") that are never given to one machine alone."""


class HostCPU(msgspec.Struct, frozen=True):
    """One logical CPU; ``core`` is the lowest of the hardware threads that share its core."""

    number: int
    node: int
    core: int


class Request(msgspec.Struct, frozen=True):
    """``cells``: guest NUMA cells follow the host's nodes. ``memory`` is the guest's, ``page`` its page size, bytes."""

    vcpus: int
    threads: int = 1
    isolate_emulator: bool = False
    cells: bool = False
    memory: int = 0
    page: int = 4096


def allocate(request: Request, cpus: Sequence[HostCPU], taken: frozenset[int]) -> CPUPlacement | None:
    """CPUs for ``request`` out of those not ``taken``; None when there are not enough."""
    free = [cpu for cpu in cpus if cpu.number not in taken]
    wanted = request.vcpus + request.isolate_emulator
    if len(free) < wanted:
        return None
    chosen = _ordered(free, wanted, request.threads)[:wanted]
    emulator = tuple(cpu.number for cpu in chosen[request.vcpus :])
    mine = chosen[: request.vcpus]
    cells = _cells(request, mine) if request.cells else ()
    return CPUPlacement(vcpus=tuple(cpu.number for cpu in mine), emulator=emulator, cells=cells)


def _ordered(free: list[HostCPU], wanted: int, threads: int) -> list[HostCPU]:
    """The fullest node in which all fit comes first; else the emptiest ones, so that few nodes are touched."""
    by_node: dict[int, list[HostCPU]] = {}
    for cpu in free:
        by_node.setdefault(cpu.node, []).append(cpu)
    fitting = [node for node, members in by_node.items() if len(members) >= wanted]
    if fitting:
        best = min(fitting, key=lambda node: (len(by_node[node]), node))
        order = [best]
    else:
        order = sorted(by_node, key=lambda node: (-len(by_node[node]), node))
    return [cpu for node in order for cpu in _by_core(by_node[node], threads)]


def _by_core(cpus: list[HostCPU], threads: int) -> list[HostCPU]:
    """Cores that can hold a whole guest core first, their threads side by side."""
    cores: dict[int, list[HostCPU]] = {}
    for cpu in sorted(cpus, key=lambda one: one.number):
        cores.setdefault(cpu.core, []).append(cpu)
    whole = [core for core in cores.values() if len(core) >= threads]
    broken = [core for core in cores.values() if len(core) < threads]
    return [cpu for core in [*whole, *broken] for cpu in core]


def _cells(request: Request, cpus: list[HostCPU]) -> tuple[NumaCell, ...]:
    """One guest cell for each host node in use; memory in equal shares of whole pages, the first get the rest."""
    nodes = list(dict.fromkeys(cpu.node for cpu in cpus))
    pages, rest = divmod(request.memory // request.page, len(nodes))
    return tuple(
        NumaCell(
            vcpus=tuple(index for index, cpu in enumerate(cpus) if cpu.node == node),
            memory=(pages + (number < rest)) * request.page,
            host_node=node,
        )
        for number, node in enumerate(nodes)
    )


def parse_ranges(text: str) -> frozenset[int]:
    """The kernel's list format: "0-3,8". Raises ValueError."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if not part:
            continue
        first, dash, last = part.partition("-")
        low, high = int(first), int(last if dash else first)
        if not 0 <= low <= high < 65536:
            raise ValueError(f"{part!r} is not a range of CPUs")
        found.update(range(low, high + 1))
    return frozenset(found)


def mask(text: str, vcpus: int) -> tuple[int, ...]:
    """``cpu.realtime.mask``: "0-3,^1"; "" means all. Raises ValueError."""
    if not text:
        return tuple(range(vcpus))
    parts = [part.strip() for part in text.split(",")]
    wanted = parse_ranges(",".join(part for part in parts if not part.startswith("^")))
    without = parse_ranges(",".join(part[1:] for part in parts if part.startswith("^")))
    return tuple(sorted(number for number in wanted - without if number < vcpus))


def topology(
    nodes: Sequence[HostNode] = (), *, system: Path = _SYSTEM, environ: Mapping[str, str] = os.environ
) -> tuple[HostCPU, ...]:
    """The CPUs that the daemon may use and give away. ``nodes`` as the facts know them.

    Raises ``HostError`` reason InvalidEnvironment.
    """
    try:
        reserved = parse_ranges(environ.get(RESERVED, ""))
    except ValueError as error:
        text = f'{RESERVED} is "{environ[RESERVED][:64]}", which is no list of CPUs: {error}'
        raise HostError(text, reason="InvalidEnvironment", hint=f"{RESERVED}=0-1") from error
    node_of = {cpu: node.number for node in nodes for cpu in node.cpus}
    allowed = sorted(os.sched_getaffinity(0) - reserved)
    return tuple(HostCPU(number, node_of.get(number, 0), _core(system, number)) for number in allowed)


def _core(system: Path, number: int) -> int:
    try:
        text = (system / f"cpu/cpu{number}/topology/thread_siblings_list").read_text()
        return min(parse_ranges(text), default=number)
    except (OSError, ValueError):
        return number


def taken_by(placements: Sequence[CPUPlacement]) -> frozenset[int]:
    return frozenset(cpu for placed in placements for cpu in (*placed.vcpus, *placed.emulator))
