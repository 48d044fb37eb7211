"""VirtualMachineInstancePreset of kubevirt.io/v1, deprecated there (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.meta import KubeObject, Model


class PresetSpec(Model):
    """``domain`` is merged into new VMIs of the namespace that ``selector`` matches."""

    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    domain: Domain | None = None


class VirtualMachineInstancePreset(KubeObject, kw_only=True):
    spec: PresetSpec
