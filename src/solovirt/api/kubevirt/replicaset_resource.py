"""The VirtualMachineInstanceReplicaSet kind: names, columns, scale, validation.

Source: KubeVirt's CRD and pkg/virt-api/webhooks/validating-webhook/admitters/vmirs-admitter.go.
"""

from __future__ import annotations

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.replicaset import VirtualMachineInstanceReplicaSet
from solovirt.api.kubevirt.validation.virtualmachineinstance import validate_vmi
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.api.metadata import check_metadata
from solovirt.api.replicas import add_below, check_replicas, check_selector, replica_columns, wanted_replicas
from solovirt.api.resource import Resource, Scale
from solovirt.kit.errors import Cause
from solovirt.kit.json import clone


def validate_replica_set(
    new: VirtualMachineInstanceReplicaSet, old: VirtualMachineInstanceReplicaSet | None
) -> list[Cause]:
    """Every problem of a set, and of the VMIs that it would make. One that is being deleted is let through."""
    causes = Causes()
    if new.metadata.deletion_timestamp is not None:
        return causes.found
    check_metadata(causes, new.metadata)
    check_replicas(causes, new.spec.replicas, "spec.replicas")
    _check_template(causes, new)
    check_selector(causes, new.spec.selector, new.spec.template.metadata.labels, "spec.selector")
    return causes.found


def _check_template(causes: Causes, new: VirtualMachineInstanceReplicaSet) -> None:
    template = clone(new.spec.template)
    meta = template.metadata
    made = VirtualMachineInstance(
        metadata=ObjectMeta(
            name="replica", namespace=new.metadata.namespace, labels=meta.labels, annotations=meta.annotations
        ),
        spec=template.spec,
    )
    default_vmi(made)
    add_below(causes, validate_vmi(made, None), "spec.template")


def _wanted(found: VirtualMachineInstanceReplicaSet) -> int:
    return wanted_replicas(found.spec.replicas)


def _want(found: VirtualMachineInstanceReplicaSet, replicas: int) -> None:
    found.spec.replicas = replicas


RESOURCE = Resource(
    group="kubevirt.io",
    version="v1",
    other_versions=("v1alpha3",),
    kind="VirtualMachineInstanceReplicaSet",
    plural="virtualmachineinstancereplicasets",
    singular="virtualmachineinstancereplicaset",
    type=VirtualMachineInstanceReplicaSet,
    short_names=("vmirs", "vmirss"),
    categories=("all",),
    columns=replica_columns(
        VirtualMachineInstanceReplicaSet,
        "VirtualMachineInstances",
        _wanted,
        lambda obj: obj.status.replicas,
        lambda obj: obj.status.ready_replicas,
    ),
    has_status=True,
    validate=validate_replica_set,
    scale=Scale(
        wanted=_wanted,
        present=lambda obj: obj.status.replicas,
        selector=lambda obj: obj.status.label_selector,
        want=_want,
    ),
)
