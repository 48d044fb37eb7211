"""VirtualMachineInstanceReplicaSet of kubevirt.io/v1 (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate
from solovirt.api.meta import Condition, KubeObject, Model


class ReplicaSetSpec(Model):
    """``replicas`` is 1 if it is left out; ``paused``: nothing is created or deleted."""

    selector: LabelSelector
    template: InstanceTemplate
    replicas: int | None = None
    paused: bool = False


class ReplicaSetStatus(Model):
    """``replicas`` counts VMIs that are neither at their end nor being deleted."""

    replicas: int = 0
    ready_replicas: int = 0
    conditions: list[Condition] = msgspec.field(default_factory=list)
    label_selector: str = ""


class VirtualMachineInstanceReplicaSet(KubeObject, kw_only=True):
    spec: ReplicaSetSpec
    status: ReplicaSetStatus = msgspec.field(default_factory=ReplicaSetStatus)
