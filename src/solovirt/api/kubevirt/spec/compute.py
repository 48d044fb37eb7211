"""domain.cpu, memory, machine, resources, chassis, ioThreads, launchSecurity (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model

Quantity = str | int | float


class CPUFeature(Model):
    name: str
    policy: str = ""


class NUMAGuestMappingPassthrough(Model):
    """``guestMappingPassthrough: {}``."""


class NUMA(Model):
    guest_mapping_passthrough: NUMAGuestMappingPassthrough | None = None


class Realtime(Model):
    """``mask`` names vCPUs as cpusets do ("0-3,^1"); "" means all."""

    mask: str = ""


class CPU(Model):
    cores: int | None = None
    sockets: int | None = None
    threads: int | None = None
    max_sockets: int | None = None
    model: str = ""
    features: list[CPUFeature] = msgspec.field(default_factory=list)
    dedicated_cpu_placement: bool | None = None
    isolate_emulator_thread: bool | None = None
    numa: NUMA | None = None
    realtime: Realtime | None = None


class Hugepages(Model):
    page_size: str = ""


class ReservedOverhead(Model):
    """``memLock`` is NotRequired or Required."""

    added_overhead: Quantity | None = None
    mem_lock: str = ""


class Memory(Model):
    guest: Quantity | None = None
    max_guest: Quantity | None = None
    hugepages: Hugepages | None = None
    reserved_overhead: ReservedOverhead | None = None


class ResourceRequirements(Model):
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    limits: dict[str, Quantity] = msgspec.field(default_factory=dict)
    overcommit_guest_overhead: bool | None = None


class Machine(Model):
    type: str = ""


class Chassis(Model):
    manufacturer: str = ""
    version: str = ""
    serial: str = ""
    asset: str = ""
    sku: str = ""


class DiskIOThreads(Model):
    supplemental_pool_thread_count: int | None = None


class SEVPolicy(Model):
    encrypted_state: bool | None = None


class SEVAttestation(Model):
    """``attestation: {}``."""


class SEV(Model):
    policy: SEVPolicy | None = None
    attestation: SEVAttestation | None = None
    session: str = ""
    dh_cert: str = ""


class SEVSNP(Model):
    """``snp: {}``."""


class TDX(Model):
    """``tdx: {}``."""


class LaunchSecurity(Model):
    sev: SEV | None = None
    snp: SEVSNP | None = None
    tdx: TDX | None = None
