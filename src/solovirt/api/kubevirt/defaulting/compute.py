"""Defaults of machine, resources, CPU and memory. Source: kubevirt pkg/defaults/defaults.go, pkg/liveupdate/memory.

Values that do not parse stay as they are, for validation to name them.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.compute import CPU, Machine, Memory, Quantity
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes
from solovirt.kit.quantity import format_bytes

ARCHITECTURE = "amd64"
MACHINE_TYPE = "q35"
CPU_MODEL = "host-model"
HOTPLUG_RATIO = 4
"""How far CPU and memory may grow while the guest runs, as a multiple of what it starts with."""
MAX_VCPUS = 512
DIMM_SLOTS = 16
"""DIMMs that a guest which may grow has room for. QEMU keeps 1 GiB of addresses for each, to align it."""
_MIB = 1024**2
HOTPLUG_LEAST = 128 * _MIB
"""Guest memory from which on it may grow. A Linux that may get memory above 4 GiB sets 64 MiB aside for bounce buffers
(half of that where there is no more); one of 96 MiB does not boot then. KubeVirt asks for 1 GiB."""
_MOST = 2**63 - 1
"""What Kubernetes can write down."""


def default_platform(spec: VirtualMachineInstanceSpec) -> None:
    spec.architecture = spec.architecture or ARCHITECTURE
    machine = spec.domain.machine = spec.domain.machine or Machine()
    machine.type = machine.type or MACHINE_TYPE


def default_resources(domain: Domain) -> None:
    resources = domain.resources
    if "cpu" in resources.limits:
        resources.requests.setdefault("cpu", resources.limits["cpu"])


def default_memory(domain: Domain) -> None:
    """``guest`` from what is requested, else from the size of one huge page."""
    memory = domain.memory = domain.memory or Memory()
    if memory.guest is None:
        resources = domain.resources
        memory.guest = _nonzero(resources.requests.get("memory")) or _nonzero(resources.limits.get("memory"))
    if memory.guest is None and memory.hugepages is not None:
        memory.guest = _nonzero(memory.hugepages.page_size or None)


def default_max_guest(spec: VirtualMachineInstanceSpec) -> None:
    """``maxGuest`` for a guest whose memory can grow; without it, memory stays what it is."""
    memory = spec.domain.memory
    if memory is None or memory.max_guest is not None:
        return
    guest = as_bytes(memory.guest)
    if guest is None or guest * HOTPLUG_RATIO > _MOST or growth_problem(spec, guest, guest * HOTPLUG_RATIO):
        return
    memory.max_guest = format_bytes(guest * HOTPLUG_RATIO)


def growth_problem(spec: VirtualMachineInstanceSpec, guest: int | None, most: int) -> str:
    """Why memory cannot be added to this guest while it runs, in KubeVirt's words; "" when it can. Sizes in bytes."""
    if guest is None:
        return fixed_memory(spec.domain) or "Guest memory must be configured when memory hotplug is enabled"
    block = block_size(spec.domain)
    unit = format_bytes(block)
    problems = (
        (guest > most, "Guest memory is greater than the configured maxGuest memory"),
        (guest % block != 0, f"Guest memory must be {unit} aligned"),
        (most % block != 0, f"MaxGuest must be {unit} aligned"),
        (spec.architecture not in ("", ARCHITECTURE), "Memory hotplug is only available for x86_64 VMs"),
        (
            guest < HOTPLUG_LEAST,
            f"Memory hotplug is only available for VMs with at least {format_bytes(HOTPLUG_LEAST)} of guest memory",
        ),
    )
    return fixed_memory(spec.domain) or next((text for found, text in problems if found), "")


def fixed_memory(domain: Domain) -> str:
    """Why this kind of guest can never get more memory while it runs; "" when it can."""
    cpu = domain.cpu or CPU()
    if cpu.realtime is not None:
        return "Memory hotplug is not compatible with realtime VMs"
    if cpu.numa is not None and cpu.numa.guest_mapping_passthrough is not None:
        return "Memory hotplug is not compatible with guest mapping passthrough"
    if domain.launch_security is not None:
        return "Memory hotplug is not compatible with encrypted VMs"
    return ""


def block_size(domain: Domain) -> int:
    """The unit in which memory is added, in bytes: a transparent huge page, or one of 1Gi where the guest has those."""
    memory = domain.memory
    huge = as_bytes(memory.hugepages.page_size) if memory is not None and memory.hugepages is not None else None
    return max(2 * _MIB, huge or 0)


def default_cpu(domain: Domain) -> None:
    cpu = domain.cpu = domain.cpu or CPU()
    if cpu.sockets is None and cpu.cores is None and cpu.threads is None:
        resources = domain.resources
        asked = resources.limits.get("cpu", resources.requests.get("cpu"))
        cpu.sockets = max(as_bytes(asked) or 1, 1)
    cpu.sockets = 1 if cpu.sockets is None else cpu.sockets
    cpu.cores = 1 if cpu.cores is None else cpu.cores
    cpu.threads = 1 if cpu.threads is None else cpu.threads
    cpu.model = cpu.model or CPU_MODEL
    if cpu.max_sockets is None and min(cpu.sockets, cpu.cores, cpu.threads) > 0:
        within = MAX_VCPUS // (cpu.cores * cpu.threads)
        cpu.max_sockets = max(min(cpu.sockets * HOTPLUG_RATIO, within), cpu.sockets)


def _nonzero(value: Quantity | None) -> Quantity | None:
    return value if as_bytes(value) else None
