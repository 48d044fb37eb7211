"""What a spec asks of the host's CPUs: how many for itself, in which cells, which in real time. Pure.

``plan`` makes up a placement for explain; the real one is the controllers' to give (``solovirt.host.cpupool``).
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes
from solovirt.host import cpupool
from solovirt.host.cpupool import HostCPU
from solovirt.host.model.bindings import CPUPlacement
from solovirt.host.model.facts import HostFacts

PAGE = 4096


def is_dedicated(spec: VirtualMachineInstanceSpec) -> bool:
    return spec.domain.cpu is not None and spec.domain.cpu.dedicated_cpu_placement is True


def vcpus(spec: VirtualMachineInstanceSpec) -> int:
    """vCPUs at start."""
    cpu = spec.domain.cpu
    return (cpu.sockets or 1) * (cpu.cores or 1) * (cpu.threads or 1) if cpu is not None else 1


def guest_memory(spec: VirtualMachineInstanceSpec) -> int:
    """Bytes at start, 0 where nothing says."""
    memory = spec.domain.memory
    return as_bytes(memory.guest) or 0 if memory is not None else 0


def page_size(spec: VirtualMachineInstanceSpec) -> int:
    """Bytes of a page of the guest's memory on the host."""
    memory = spec.domain.memory
    given = memory.hugepages.page_size if memory is not None and memory.hugepages is not None else ""
    return (as_bytes(given) or PAGE) if given else PAGE


def request(spec: VirtualMachineInstanceSpec) -> cpupool.Request:
    """What a machine with dedicated CPUs asks the pool for."""
    cpu = spec.domain.cpu
    numa = cpu.numa if cpu is not None else None
    return cpupool.Request(
        vcpus=vcpus(spec),
        threads=(cpu.threads or 1) if cpu is not None else 1,
        isolate_emulator=cpu is not None and cpu.isolate_emulator_thread is True,
        cells=numa is not None and numa.guest_mapping_passthrough is not None,
        memory=guest_memory(spec),
        page=page_size(spec),
    )


def realtime(spec: VirtualMachineInstanceSpec) -> tuple[int, ...]:
    """vCPUs that get a real-time priority. Raises ValueError for a mask that is none."""
    cpu = spec.domain.cpu
    return cpupool.mask(cpu.realtime.mask, vcpus(spec)) if cpu is not None and cpu.realtime is not None else ()


def plan(spec: VirtualMachineInstanceSpec, facts: HostFacts) -> CPUPlacement | None:
    """The CPUs that a machine would get if nothing else ran; as many as it wants, even where the host has fewer."""
    if not is_dedicated(spec):
        return None
    wanted = request(spec)
    known = [HostCPU(cpu, node.number, cpu) for node in facts.nodes for cpu in node.cpus]
    cpus = known or [HostCPU(cpu, 0, cpu) for cpu in range(facts.cpus)]
    highest = max((cpu.number for cpu in cpus), default=-1)
    needed = wanted.vcpus + wanted.isolate_emulator
    more = [HostCPU(highest + number, 0, highest + number) for number in range(1, needed - len(cpus) + 1)]
    return cpupool.allocate(wanted, [*cpus, *more], frozenset())
