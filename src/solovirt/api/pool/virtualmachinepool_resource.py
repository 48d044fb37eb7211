"""The VirtualMachinePool kind: names, columns, scale, validation. Source of the columns: KubeVirt's CRD."""

from __future__ import annotations

from solovirt.api.pool.validation import validate_pool
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.api.replicas import replica_columns, wanted_replicas
from solovirt.api.resource import Resource, Scale


def _wanted(found: VirtualMachinePool) -> int:
    return wanted_replicas(found.spec.replicas)


def _want(found: VirtualMachinePool, replicas: int) -> None:
    found.spec.replicas = replicas


RESOURCE = Resource(
    group="pool.kubevirt.io",
    version="v1beta1",
    other_versions=("v1alpha1",),
    kind="VirtualMachinePool",
    plural="virtualmachinepools",
    singular="virtualmachinepool",
    type=VirtualMachinePool,
    short_names=("vmpool", "vmpools"),
    categories=("all",),
    columns=replica_columns(
        VirtualMachinePool,
        "VirtualMachines",
        _wanted,
        lambda obj: obj.status.replicas,
        lambda obj: obj.status.ready_replicas,
    ),
    has_status=True,
    validate=validate_pool,
    scale=Scale(
        wanted=_wanted,
        present=lambda obj: obj.status.replicas,
        selector=lambda obj: obj.status.label_selector,
        want=_want,
    ),
)
