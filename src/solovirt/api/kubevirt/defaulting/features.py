"""Defaults of features and timers, and what Hyper-V enlightenments need of each other.

Source: kubevirt api/core/v1/defaults.go and pkg/defaults/hyperv.go. A dependency that was switched off on purpose stays
off, for validation to name.
"""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.api.kubevirt.spec.compute import CPU, CPUFeature
from solovirt.api.kubevirt.spec.features import (
    FeatureAPIC,
    FeatureHyperv,
    Features,
    FeatureState,
    SyNICTimer,
    TLBFlush,
)
from solovirt.api.kubevirt.spec.instance import Domain

SPINLOCK_RETRIES = 4096
VMX = "vmx"
REQUIRE = "require"


class Requirement(msgspec.Struct, frozen=True):
    """``feature`` works only with ``needed``; both are fields of ``features.hyperv``."""

    feature: str
    needed: str


REQUIREMENTS = (
    Requirement("evmcs", "vapic"),
    Requirement("ipi", "vpindex"),
    Requirement("tlbflush", "vpindex"),
    Requirement("synictimer", "synic"),
    Requirement("synic", "vpindex"),
)
"""In KubeVirt's order: what is needed by something that is itself needed comes last."""


def default_features(domain: Domain) -> None:
    """Whatever is given without ``enabled`` is on; what it needs comes along."""
    features = domain.features = domain.features or Features()
    features.acpi = features.acpi or FeatureState()
    for state in (features.acpi, features.apic, features.smm, features.pvspinlock):
        _on(state)
    if features.hyperv is not None:
        _default_hyperv(features.hyperv)
        _require(features.hyperv)
        if enabled(features.hyperv, "evmcs"):
            _require_vmx(domain)


def default_clock(clock: Clock | None) -> None:
    """A timer that is given without ``present`` is there."""
    timer = clock.timer if clock is not None else None
    if timer is None:
        return
    for one in (timer.hpet, timer.kvm, timer.pit, timer.rtc, timer.hyperv):
        if one is not None and one.present is None:
            one.present = True


def enabled(hyperv: FeatureHyperv, name: str) -> bool:
    """Whether an enlightenment is on: it is given, and not switched off."""
    state = getattr(hyperv, name)
    return state is not None and state.enabled is not False


def disabled(hyperv: FeatureHyperv, name: str) -> bool:
    state = getattr(hyperv, name)
    return state is not None and state.enabled is False


def _default_hyperv(hyperv: FeatureHyperv) -> None:
    for name in hyperv.__struct_fields__:
        state = getattr(hyperv, name)
        if state is not None and state.enabled is None:
            state.enabled = True
        if isinstance(state, SyNICTimer):
            _on(state.direct)
        if isinstance(state, TLBFlush):
            _on(state.direct)
            _on(state.extended)
    spinlocks = hyperv.spinlocks
    if spinlocks is not None and spinlocks.enabled and spinlocks.retries is None:
        spinlocks.retries = SPINLOCK_RETRIES


def _require(hyperv: FeatureHyperv) -> None:
    for requirement in REQUIREMENTS:
        if enabled(hyperv, requirement.feature) and not disabled(hyperv, requirement.needed):
            setattr(hyperv, requirement.needed, FeatureState(enabled=True))


def _require_vmx(domain: Domain) -> None:
    """evmcs is the VMX of nested Hyper-V: the guest must see VMX, whatever the manifest's own policy says."""
    cpu = domain.cpu = domain.cpu or CPU()
    for feature in cpu.features:
        if feature.name == VMX:
            feature.policy = REQUIRE
            return
    cpu.features.append(CPUFeature(name=VMX, policy=REQUIRE))


def _on(state: FeatureState | FeatureAPIC | None) -> None:
    if state is not None and state.enabled is None:
        state.enabled = True
