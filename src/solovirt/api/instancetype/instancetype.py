"""VirtualMachineInstancetypeSpec: a VM's size (KubeVirt api instancetype/v1beta1 types.go), and its rules."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import INVALID, Causes
from solovirt.api.kubevirt.spec.compute import (
    NUMA,
    DiskIOThreads,
    Hugepages,
    LaunchSecurity,
    Quantity,
    Realtime,
)
from solovirt.api.kubevirt.spec.devices import GPU, HostDevice
from solovirt.api.meta import KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.quantities import check_positive
from solovirt.kit.errors import Cause

MAX_PERCENT = 100


class CPUInstancetype(Model):
    """``guest``: number of vCPUs; the preference says how they are laid out."""

    guest: int
    model: str = ""
    dedicated_cpu_placement: bool | None = msgspec.field(default=None, name="dedicatedCPUPlacement")
    isolate_emulator_thread: bool | None = None
    numa: NUMA | None = None
    realtime: Realtime | None = None
    max_sockets: int | None = None


class MemoryInstancetype(Model):
    """``overcommitPercent``: by how much less than ``guest`` is asked of the node."""

    guest: Quantity
    hugepages: Hugepages | None = None
    overcommit_percent: int = 0
    max_guest: Quantity | None = None


class InstancetypeSpec(Model):
    cpu: CPUInstancetype
    memory: MemoryInstancetype
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    scheduler_name: str = ""
    gpus: list[GPU] = msgspec.field(default_factory=list)
    host_devices: list[HostDevice] = msgspec.field(default_factory=list)
    io_threads_policy: str = ""
    io_threads: DiskIOThreads | None = None
    launch_security: LaunchSecurity | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class VirtualMachineInstancetype(KubeObject, kw_only=True):
    spec: InstancetypeSpec


class VirtualMachineClusterInstancetype(KubeObject, kw_only=True):
    spec: InstancetypeSpec


AnyInstancetype = VirtualMachineInstancetype | VirtualMachineClusterInstancetype


def validate(new: AnyInstancetype, old: AnyInstancetype | None) -> list[Cause]:
    """Source: kubevirt pkg/instancetype/webhooks/admitter.go; numbers as its schema has them."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    spec = new.spec
    for name, count in (("guest", spec.cpu.guest), ("maxSockets", spec.cpu.max_sockets)):
        if count is not None and count < 1:
            causes.invalid(f"spec.cpu.{name}", count, "must be greater than or equal to 1")
    check_positive(causes, spec.memory.guest, "spec.memory.guest")
    check_positive(causes, spec.memory.max_guest, "spec.memory.maxGuest")
    percent, place = spec.memory.overcommit_percent, "spec.memory.overcommitPercent"
    if not 0 <= percent <= MAX_PERCENT:
        causes.add(INVALID, place, f"{place} '{percent}': must be in range between 0 and 100.")
    if percent and spec.memory.hugepages is not None:
        causes.add(INVALID, place, f"{place} and spec.memory.hugepages should not be requested together.")
    return causes.found
