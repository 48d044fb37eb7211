"""VirtualMachinePool of pool.kubevirt.io/v1beta1 (KubeVirt api pool/v1beta1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.scheduling import LabelSelector, Requirement
from solovirt.api.kubevirt.virtualmachine import VirtualMachineSpec
from solovirt.api.meta import Condition, KubeObject, Model, ObjectMeta


class MachineTemplate(Model, kw_only=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: VirtualMachineSpec


class NameGeneration(Model):
    append_index_to_config_map_refs: bool | None = None
    append_index_to_secret_refs: bool | None = None


class Selectors(Model):
    """What is set must match: the labels of the VM's template, and its nodeSelector."""

    label_selector: LabelSelector | None = None
    node_selector_requirement_matcher: list[Requirement] | None = None


class SelectionPolicy(Model):
    """``sortPolicy``: AscendingOrder, DescendingOrder (by index), Newest, Oldest, Random (default)."""

    sort_policy: str = ""
    selectors: Selectors | None = None


class Unmanaged(Model):
    """``unmanaged: {}``."""


class OpportunisticScaleIn(Model):
    """``statePreservation``: Disabled (default), Offline, Online."""

    state_preservation: str = ""


class ProactiveScaleIn(Model):
    selection_policy: SelectionPolicy | None = None
    state_preservation: str = ""


class ScaleInStrategy(Model):
    """What happens to VMs that are too many. None of the three is ``proactive``."""

    unmanaged: Unmanaged | None = None
    opportunistic: OpportunisticScaleIn | None = None
    proactive: ProactiveScaleIn | None = None


class OpportunisticUpdate(Model):
    """``opportunistic: {}``."""


class ProactiveUpdate(Model):
    selection_policy: SelectionPolicy | None = None


class UpdateStrategy(Model):
    """What happens to VMs of an old template. None of the three is ``proactive``."""

    unmanaged: Unmanaged | None = None
    opportunistic: OpportunisticUpdate | None = None
    proactive: ProactiveUpdate | None = None


class Autohealing(Model):
    """``minFailingToStartDuration`` is a Go duration ("5m", the default); the threshold is 3 if left out."""

    start_up_failure_threshold: int | None = None
    min_failing_to_start_duration: str = ""


class PoolSpec(Model):
    """``replicas`` is 1 if it is left out; ``maxUnavailable`` a number or a percentage ("100%" if left out)."""

    selector: LabelSelector
    virtual_machine_template: MachineTemplate
    replicas: int | None = None
    paused: bool = False
    name_generation: NameGeneration | None = None
    max_unavailable: int | str | None = None
    scale_in_strategy: ScaleInStrategy | None = None
    update_strategy: UpdateStrategy | None = None
    autohealing: Autohealing | None = None


class PoolStatus(Model):
    replicas: int = 0
    ready_replicas: int = 0
    conditions: list[Condition] = msgspec.field(default_factory=list)
    label_selector: str = ""


class VirtualMachinePool(KubeObject, kw_only=True):
    spec: PoolSpec
    status: PoolStatus = msgspec.field(default_factory=PoolStatus)
