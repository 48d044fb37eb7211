"""domain.features: ACPI, APIC, SMM, KVM hiding and the Hyper-V enlightenments (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class FeatureState(Model):
    enabled: bool | None = None


class FeatureAPIC(Model):
    enabled: bool | None = None
    end_of_interrupt: bool | None = None


class FeatureSpinlocks(Model):
    enabled: bool | None = None
    retries: int | None = msgspec.field(default=None, name="spinlocks")


class FeatureVendorID(Model):
    enabled: bool | None = None
    vendor_id: str = msgspec.field(default="", name="vendorid")


class SyNICTimer(Model):
    enabled: bool | None = None
    direct: FeatureState | None = None


class TLBFlush(Model):
    enabled: bool | None = None
    direct: FeatureState | None = None
    extended: FeatureState | None = None


class FeatureKVM(Model):
    hidden: bool | None = None


class FeatureHyperv(Model):
    relaxed: FeatureState | None = None
    vapic: FeatureState | None = None
    spinlocks: FeatureSpinlocks | None = None
    vpindex: FeatureState | None = None
    runtime: FeatureState | None = None
    synic: FeatureState | None = None
    synictimer: SyNICTimer | None = None
    reset: FeatureState | None = None
    vendorid: FeatureVendorID | None = None
    frequencies: FeatureState | None = None
    reenlightenment: FeatureState | None = None
    tlbflush: TLBFlush | None = None
    ipi: FeatureState | None = None
    evmcs: FeatureState | None = None


class Features(Model):
    acpi: FeatureState | None = None
    apic: FeatureAPIC | None = None
    smm: FeatureState | None = None
    kvm: FeatureKVM | None = None
    pvspinlock: FeatureState | None = None
    hyperv: FeatureHyperv | None = None
    hyperv_passthrough: FeatureState | None = None
