"""VirtualMachineInstanceSpec (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.compute import CPU, Clock, Features, Firmware, Machine, Memory, ResourceRequirements
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.sources import Network, Volume
from solovirt.api.meta import Model


class Domain(Model):
    __known_unsupported__ = frozenset({"ioThreadsPolicy", "ioThreads", "chassis", "launchSecurity", "rebootPolicy"})

    cpu: CPU | None = None
    memory: Memory | None = None
    machine: Machine | None = None
    firmware: Firmware | None = None
    features: Features | None = None
    clock: Clock | None = None
    resources: ResourceRequirements = msgspec.field(default_factory=ResourceRequirements)
    devices: Devices = msgspec.field(default_factory=Devices)


class VirtualMachineInstanceSpec(Model):
    __known_unsupported__ = frozenset(
        {"accessCredentials", "subdomain", "evictionStrategy", "livenessProbe", "readinessProbe"}
        | {"nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "schedulerName"}
        | {"priorityClassName", "dnsPolicy", "dnsConfig", "serviceAccountName", "resourceClaims", "utilityVolumes"}
    )

    domain: Domain
    volumes: list[Volume] = msgspec.field(default_factory=list)
    networks: list[Network] = msgspec.field(default_factory=list)
    hostname: str = ""
    start_strategy: str = ""
    termination_grace_period_seconds: int | None = None
    architecture: str = ""
