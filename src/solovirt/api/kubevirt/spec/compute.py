"""domain.cpu, memory, machine, firmware, features, resources (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model

Quantity = str | int | float


class CPUFeature(Model):
    name: str
    policy: str = ""


class CPU(Model):
    __known_unsupported__ = frozenset({"numa", "dedicatedCpuPlacement", "isolateEmulatorThread", "realtime"})

    cores: int | None = None
    sockets: int | None = None
    threads: int | None = None
    max_sockets: int | None = None
    model: str = ""
    features: list[CPUFeature] = msgspec.field(default_factory=list)


class Memory(Model):
    __known_unsupported__ = frozenset({"hugepages", "reservedOverhead"})

    guest: Quantity | None = None
    max_guest: Quantity | None = None


class ResourceRequirements(Model):
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    limits: dict[str, Quantity] = msgspec.field(default_factory=dict)
    overcommit_guest_overhead: bool | None = None


class Machine(Model):
    type: str = ""


class BIOS(Model):
    __known_unsupported__ = frozenset({"useSerial"})


class Bootloader(Model):
    __known_unsupported__ = frozenset({"efi"})

    bios: BIOS | None = None


class KernelBootContainer(Model):
    image: str
    image_pull_secret: str = ""
    image_pull_policy: str = ""
    kernel_path: str = ""
    initrd_path: str = ""


class KernelBoot(Model):
    kernel_args: str = ""
    container: KernelBootContainer | None = None


class Firmware(Model):
    __known_unsupported__ = frozenset({"acpi"})

    uuid: str = ""
    serial: str = ""
    bootloader: Bootloader | None = None
    kernel_boot: KernelBoot | None = None


class FeatureState(Model):
    enabled: bool | None = None


class Features(Model):
    __known_unsupported__ = frozenset({"apic", "smm", "kvm", "pvspinlock", "hyperv", "hypervPassthrough"})

    acpi: FeatureState | None = None


class ClockUTC(Model):
    __known_unsupported__ = frozenset({"offsetSeconds"})


class Clock(Model):
    __known_unsupported__ = frozenset({"timezone", "timer"})

    utc: ClockUTC | None = None
