"""VirtualMachineInstance of kubevirt.io/v1."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.compute import Machine, Quantity
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.meta import Condition, KubeObject, Model


class PhaseTransition(Model):
    phase: str
    phase_transition_timestamp: str


class InterfaceStatus(Model):
    name: str = ""
    mac: str = ""
    ip_address: str = msgspec.field(default="", name="ipAddress")
    ip_addresses: list[str] = msgspec.field(default_factory=list)
    interface_name: str = ""
    pod_interface_name: str = ""
    info_source: str = ""
    queue_count: int = 0
    link_state: str = ""


class GuestOSInfo(Model):
    name: str = ""
    id: str = ""
    pretty_name: str = ""
    version: str = ""
    version_id: str = ""
    kernel_release: str = ""
    kernel_version: str = ""
    machine: str = ""


class ContainerDiskStatus(Model):
    checksum: int = 0


class HotplugVolumeStatus(Model):
    """Marks a volume that may come and go. KubeVirt's has the name of an attachment pod, of which there are none."""


class ClaimInfo(Model):
    """persistentVolumeClaimInfo: the claim that a volume is on."""

    claim_name: str = ""
    access_modes: list[str] = msgspec.field(default_factory=list)
    volume_mode: str = ""
    capacity: dict[str, Quantity] = msgspec.field(default_factory=dict)
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    preallocated: bool = False


class VolumeStatus(Model):
    """``size`` in bytes. ``phase`` is that of a volume which may come and go."""

    name: str
    target: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    size: int = 0
    hotplug_volume: HotplugVolumeStatus | None = None
    persistent_volume_claim_info: ClaimInfo | None = None
    container_disk_volume: ContainerDiskStatus | None = None


class CPUTopology(Model):
    cores: int = 0
    sockets: int = 0
    threads: int = 0


class MemoryStatus(Model):
    guest_at_boot: Quantity | None = None
    guest_current: Quantity | None = None
    guest_requested: Quantity | None = None


class VirtualMachineInstanceStatus(Model):
    phase: str = ""
    phase_transition_timestamps: list[PhaseTransition] = msgspec.field(default_factory=list)
    reason: str = ""
    node_name: str = ""
    conditions: list[Condition] = msgspec.field(default_factory=list)
    interfaces: list[InterfaceStatus] = msgspec.field(default_factory=list)
    guest_os_info: GuestOSInfo | None = msgspec.field(default=None, name="guestOSInfo")
    volume_status: list[VolumeStatus] = msgspec.field(default_factory=list)
    machine: Machine | None = None
    current_cpu_topology: CPUTopology | None = msgspec.field(default=None, name="currentCPUTopology")
    memory: MemoryStatus | None = None
    runtime_user: int = 0
    qos_class: str = ""
    vsock_cid: int = msgspec.field(default=0, name="VSOCKCID")
    fs_freeze_status: str = ""


class VirtualMachineInstance(KubeObject, kw_only=True):
    spec: VirtualMachineInstanceSpec
    status: VirtualMachineInstanceStatus = msgspec.field(default_factory=VirtualMachineInstanceStatus)
