"""VirtualMachineInstanceSpec (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.api.kubevirt.spec.compute import (
    CPU,
    Chassis,
    DiskIOThreads,
    LaunchSecurity,
    Machine,
    Memory,
    ResourceRequirements,
)
from solovirt.api.kubevirt.spec.credentials import AccessCredential
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.features import Features
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.probes import Probe
from solovirt.api.kubevirt.spec.scheduling import (
    Affinity,
    DNSConfig,
    ResourceClaim,
    Toleration,
    TopologySpreadConstraint,
)
from solovirt.api.kubevirt.spec.sources import Network, UtilityVolume, Volume
from solovirt.api.meta import Model


class Domain(Model):
    """``ioThreadsPolicy`` is shared, auto or supplementalPool; ``rebootPolicy`` Reboot or Terminate."""

    cpu: CPU | None = None
    memory: Memory | None = None
    machine: Machine | None = None
    firmware: Firmware | None = None
    features: Features | None = None
    clock: Clock | None = None
    resources: ResourceRequirements = msgspec.field(default_factory=ResourceRequirements)
    devices: Devices = msgspec.field(default_factory=Devices)
    io_threads_policy: str = ""
    io_threads: DiskIOThreads | None = None
    chassis: Chassis | None = None
    launch_security: LaunchSecurity | None = None
    reboot_policy: str = ""


class VirtualMachineInstanceSpec(Model):
    domain: Domain
    volumes: list[Volume] = msgspec.field(default_factory=list)
    networks: list[Network] = msgspec.field(default_factory=list)
    access_credentials: list[AccessCredential] = msgspec.field(default_factory=list)
    hostname: str = ""
    subdomain: str = ""
    start_strategy: str = ""
    eviction_strategy: str = ""
    termination_grace_period_seconds: int | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    architecture: str = ""
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    affinity: Affinity | None = None
    tolerations: list[Toleration] = msgspec.field(default_factory=list)
    topology_spread_constraints: list[TopologySpreadConstraint] = msgspec.field(default_factory=list)
    scheduler_name: str = ""
    priority_class_name: str = ""
    dns_policy: str = ""
    dns_config: DNSConfig | None = None
    service_account_name: str = ""
    resource_claims: list[ResourceClaim] = msgspec.field(default_factory=list)
    utility_volumes: list[UtilityVolume] = msgspec.field(default_factory=list)
