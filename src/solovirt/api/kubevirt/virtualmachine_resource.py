"""The VirtualMachine kind: names, columns, defaults, validation. Source of the columns: KubeVirt's CRD."""

from __future__ import annotations

from solovirt.api.columns import condition_status, crd_age
from solovirt.api.instancetype.admission import ADMISSION
from solovirt.api.kubevirt.defaults import default_vm
from solovirt.api.kubevirt.validation.virtualmachine import validate_vm
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.warnings import vm_warnings
from solovirt.api.resource import Column, Resource

RESOURCE = Resource(
    group="kubevirt.io",
    version="v1",
    other_versions=("v1alpha3",),
    kind="VirtualMachine",
    plural="virtualmachines",
    singular="virtualmachine",
    type=VirtualMachine,
    short_names=("vm", "vms"),
    categories=("all",),
    columns=(
        crd_age(VirtualMachine),
        Column("Status", lambda obj: obj.status.printable_status, description="Human Readable Status"),
        Column("Ready", lambda obj: condition_status(obj.status.conditions, "Ready")),
    ),
    has_status=True,
    default=default_vm,
    warn=vm_warnings,
    validate=validate_vm,
    admission=ADMISSION,
)
