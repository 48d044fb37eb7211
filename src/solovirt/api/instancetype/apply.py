"""A VMI's spec with an instancetype and a preference applied. Pure.

Source: kubevirt pkg/instancetype/apply, conflict. Fields that the instancetype gives must not be set by the VM.
"""

from __future__ import annotations

import struct

import msgspec

from solovirt.api.causes import INVALID
from solovirt.api.instancetype import apply_preference
from solovirt.api.instancetype.instancetype import CPUInstancetype, InstancetypeSpec, MemoryInstancetype
from solovirt.api.instancetype.preference import PreferenceSpec
from solovirt.api.instancetype.topology import spread_problem, topology
from solovirt.api.kubevirt.spec.compute import CPU, DiskIOThreads, Memory, Quantity
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.meta import ObjectMeta
from solovirt.kit import quantity
from solovirt.kit.errors import Cause
from solovirt.kit.json import clone


class Types(msgspec.Struct, frozen=True):
    """What a VM's two matchers mean at this moment."""

    instancetype: InstancetypeSpec | None = None
    preference: PreferenceSpec | None = None

    def __bool__(self) -> bool:
        return self.instancetype is not None or self.preference is not None


def apply(types: Types, spec: VirtualMachineInstanceSpec, meta: ObjectMeta, field: str) -> list[str]:
    """Fills ``spec`` and the annotations of ``meta``; returns the fields that conflict, each below ``field``.

    With conflicts nothing of the preference is applied.
    """
    given = types.instancetype
    if given is not None:
        found = [f"{field}.{name}" for name in _apply_instancetype(given, types.preference, spec)]
        found += _annotate(given.annotations, meta)
        if found:
            return found
    if types.preference is not None:
        apply_preference.apply(types.preference, spec, meta)
    return []


def conflict_message(fields: list[str]) -> str:
    """One sentence for one or several fields."""
    return f"VM field(s) {', '.join(fields)} conflicts with selected instance type"


def conflict_causes(fields: list[str]) -> list[Cause]:
    """As admission tells them: one for each field."""
    return [Cause(INVALID, conflict_message([field]), field) for field in fields]


def spread_causes(types: Types) -> list[Cause]:
    """vCPUs that cannot be laid out as the preference wants."""
    if types.instancetype is None:
        return []
    problem = spread_problem(types.instancetype.cpu.guest, types.preference)
    return [Cause(INVALID, problem, "instancetype.spec.cpu.guest")] if problem else []


def _apply_instancetype(
    given: InstancetypeSpec, preference: PreferenceSpec | None, spec: VirtualMachineInstanceSpec
) -> list[str]:
    found: list[str] = []
    if given.node_selector:
        if spec.node_selector:
            found.append("nodeSelector")
        spec.node_selector = spec.node_selector or dict(given.node_selector)
    if given.scheduler_name:
        if spec.scheduler_name:
            found.append("schedulerName")
        spec.scheduler_name = spec.scheduler_name or given.scheduler_name
    domain = spec.domain
    found += _apply_cpu(given.cpu, preference, domain)
    found += _apply_memory(given.memory, domain)
    found += _apply_io(given, domain)
    if given.launch_security is not None:
        if domain.launch_security is not None:
            found.append("domain.launchSecurity")
        else:
            domain.launch_security = clone(given.launch_security)
    return found + _apply_passthrough(given, domain)


def _apply_io(given: InstancetypeSpec, domain: Domain) -> list[str]:
    found: list[str] = []
    count = given.io_threads.supplemental_pool_thread_count if given.io_threads is not None else None
    if count is not None:
        threads = domain.io_threads = domain.io_threads or DiskIOThreads()
        if threads.supplemental_pool_thread_count is not None:
            found.append("domain.ioThreads.supplementalPoolThreadCount")
        else:
            threads.supplemental_pool_thread_count = count
    if given.io_threads_policy:
        if domain.io_threads_policy:
            found.append("domain.ioThreadsPolicy")
        domain.io_threads_policy = domain.io_threads_policy or given.io_threads_policy
    return found


def _apply_passthrough(given: InstancetypeSpec, domain: Domain) -> list[str]:
    found: list[str] = []
    if given.gpus:
        if domain.devices.gpus:
            found.append("domain.devices.gpus")
        domain.devices.gpus = domain.devices.gpus or clone(given.gpus)
    if given.host_devices:
        if domain.devices.host_devices:
            found.append("domain.devices.hostDevices")
        domain.devices.host_devices = domain.devices.host_devices or clone(given.host_devices)
    return found


def _apply_cpu(given: CPUInstancetype, preference: PreferenceSpec | None, domain: Domain) -> list[str]:
    cpu = domain.cpu = domain.cpu or CPU()
    if found := _cpu_conflicts(given, domain, cpu):
        return found
    cpu.model = given.model or cpu.model
    if given.dedicated_cpu_placement is not None:
        cpu.dedicated_cpu_placement = given.dedicated_cpu_placement
    if given.isolate_emulator_thread is not None:
        cpu.isolate_emulator_thread = given.isolate_emulator_thread
    cpu.numa = clone(given.numa) if given.numa is not None else cpu.numa
    cpu.realtime = clone(given.realtime) if given.realtime is not None else cpu.realtime
    cpu.max_sockets = cpu.max_sockets if given.max_sockets is None else given.max_sockets
    cpu.sockets, cpu.cores, cpu.threads = topology(given.guest, preference)
    return []


def _cpu_conflicts(given: CPUInstancetype, domain: Domain, cpu: CPU) -> list[str]:
    resources = domain.resources
    checks = (
        ("resources.requests.cpu", "cpu" in resources.requests),
        ("resources.limits.cpu", "cpu" in resources.limits),
        ("cpu.sockets", bool(cpu.sockets)),
        ("cpu.cores", bool(cpu.cores)),
        ("cpu.threads", bool(cpu.threads)),
        ("cpu.model", bool(cpu.model) and bool(given.model)),
        ("cpu.dedicatedCPUPlacement", bool(cpu.dedicated_cpu_placement) and given.dedicated_cpu_placement is not None),
        ("cpu.isolateEmulatorThread", bool(cpu.isolate_emulator_thread) and given.isolate_emulator_thread is not None),
        ("cpu.numa", cpu.numa is not None and given.numa is not None),
        ("cpu.realtime", cpu.realtime is not None and given.realtime is not None),
    )
    return [f"domain.{name}" for name, conflicts in checks if conflicts]


def _apply_memory(given: MemoryInstancetype, domain: Domain) -> list[str]:
    memory = domain.memory = domain.memory or Memory()
    resources = domain.resources
    checks = (
        ("memory.guest", memory.guest is not None),
        ("memory.hugepages", memory.hugepages is not None and given.hugepages is not None),
        ("memory.maxGuest", memory.max_guest is not None and given.max_guest is not None),
        ("resources.requests.memory", "memory" in resources.requests),
        ("resources.limits.memory", "memory" in resources.limits),
    )
    # KubeVirt tells the first of these only.
    first = next((f"domain.{name}" for name, conflicts in checks if conflicts), "")
    if first:
        return [first]
    memory.guest = given.guest
    if given.overcommit_percent > 0:
        resources.requests["memory"] = _less(given.guest, given.overcommit_percent)
    memory.hugepages = clone(given.hugepages) if given.hugepages is not None else memory.hugepages
    memory.max_guest = given.max_guest if given.max_guest is not None else memory.max_guest
    return []


def _less(guest: Quantity, percent: int) -> str:
    """``guest`` less ``percent``, in the single precision in which KubeVirt computes it."""
    whole = _single(quantity.to_bytes(guest))
    return quantity.format_bytes(int(_single(whole * _single(1 - _single(_single(percent) / 100)))))


def _single(value: float) -> float:
    (rounded,) = struct.unpack("f", struct.pack("f", value))
    assert isinstance(rounded, float)
    return rounded


def _annotate(annotations: dict[str, str], meta: ObjectMeta) -> list[str]:
    found: list[str] = []
    for key, value in annotations.items():
        if meta.annotations.setdefault(key, value) != value:
            found.append(f"annotations.{key}")
    return found
