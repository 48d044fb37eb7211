"""Memory that must stay in RAM: who wants it, and whether this daemon may grant it (setrlimit(2), RLIMIT_MEMLOCK)."""

from __future__ import annotations

import resource

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.kit.errors import HostError

_UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def reason(spec: VirtualMachineInstanceSpec) -> str:
    """The field that needs locked or pinned memory; "" when none does."""
    domain, devices = spec.domain, spec.domain.devices
    overhead = domain.memory.reserved_overhead if domain.memory is not None else None
    fields = (
        ("domain.cpu.realtime", domain.cpu is not None and domain.cpu.realtime is not None),
        ("domain.memory.reservedOverhead.memLock", overhead is not None and overhead.mem_lock == "Required"),
        ("domain.launchSecurity", domain.launch_security is not None),
        ("domain.devices.gpus", bool(devices.gpus)),
        ("domain.devices.hostDevices", bool(devices.host_devices)),
        ("domain.devices.interfaces", any(nic.sriov is not None for nic in devices.interfaces)),
    )
    return next((path for path, wanted in fields if wanted), "")


def check(spec: VirtualMachineInstanceSpec, *, prefix: str = "spec") -> None:
    """Raises ``HostError`` when memory must be locked and QEMU would not be allowed to."""
    field = reason(spec)
    if field and not may_lock():
        text = "the guest's memory must be locked, and this daemon may not let QEMU do it"
        hint = "LimitMEMLOCK=infinity in its systemd unit, or ulimit -l unlimited"
        raise HostError(text, reason="MemoryLockLimit", field=f"{prefix}.{field}", hint=hint)


def may_lock() -> bool:
    """Whether the limit is, or can be, none."""
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if before[1] == resource.RLIM_INFINITY:
        return True
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (before[0], resource.RLIM_INFINITY))
    except (ValueError, OSError):
        return False
    resource.setrlimit(resource.RLIMIT_MEMLOCK, before)
    return True
