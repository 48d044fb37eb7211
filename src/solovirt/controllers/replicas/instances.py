"""The VMIs of a replica set: made, counted, and in which order they go. Pure.

Source: kubevirt pkg/virt-controller/watch/replicaset/replicaset.go; the order is that of Kubernetes' ReplicaSets.
KubeVirt replaces a VMI that ended at once; here starts are fast, so that one which failed early keeps its place for a
while, or a broken template would make VMIs without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from solovirt.api import registry
from solovirt.api.kubevirt.replicaset import VirtualMachineInstanceReplicaSet
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.controllers.replicas.common import controller_of
from solovirt.controllers.vm import backoff
from solovirt.controllers.vm.factory import VMI_FINALIZER, owner
from solovirt.controllers.vm.run_strategy import FINAL
from solovirt.kit.json import clone

RETRY_SECONDS = 10.0
"""How long a VMI that failed early is kept before another takes its place."""


@dataclass(frozen=True, slots=True)
class Population:
    """The VMIs of one set that are not being deleted: those at their end, and the others."""

    active: tuple[VirtualMachineInstance, ...]
    finished: tuple[VirtualMachineInstance, ...]

    @classmethod
    def of(cls, uid: str, vmis: Iterable[VirtualMachineInstance]) -> Population:
        """``vmis`` are all of the namespace; ``uid`` is the set's."""
        mine = [
            vmi
            for vmi in vmis
            if vmi.metadata.deletion_timestamp is None and (ref := controller_of(vmi)) is not None and ref.uid == uid
        ]
        return cls(
            active=tuple(vmi for vmi in mine if vmi.status.phase not in FINAL),
            finished=tuple(vmi for vmi in mine if vmi.status.phase in FINAL),
        )


def make_instance(found: VirtualMachineInstanceReplicaSet) -> VirtualMachineInstance:
    """One more VMI of a set, as it is to be created; its name begins with the set's."""
    template = clone(found.spec.template)
    meta = template.metadata
    return VirtualMachineInstance(
        metadata=ObjectMeta(
            generate_name=meta.name or meta.generate_name or found.metadata.name,
            namespace=found.metadata.namespace,
            labels=meta.labels,
            annotations=meta.annotations,
            owner_references=[owner(found, registry.REPLICA_SETS.api_version, registry.REPLICA_SETS.kind)],
            finalizers=[VMI_FINALIZER],
        ),
        spec=template.spec,
    )


def is_ready(vmi: VirtualMachineInstance) -> bool:
    found = find_condition(vmi.status.conditions, "Ready")
    return found is not None and found.status == "True"


def expendable(vmis: Iterable[VirtualMachineInstance]) -> list[VirtualMachineInstance]:
    """Those that go first are first: not running, not ready, then the newest."""
    by_age = sorted(vmis, key=lambda vmi: (vmi.metadata.creation_timestamp or "", vmi.metadata.name), reverse=True)
    return sorted(by_age, key=lambda vmi: (vmi.status.phase == "Running", is_ready(vmi)))


def seconds_to_wait(vmi: VirtualMachineInstance, now: datetime) -> float:
    """How long a finished VMI keeps its place; 0 for not at all."""
    if not backoff.failed_early(vmi):
        return 0.0
    ended = backoff.transition(vmi, vmi.status.phase)
    return max(0.0, RETRY_SECONDS - (now - ended).total_seconds()) if ended is not None else 0.0
