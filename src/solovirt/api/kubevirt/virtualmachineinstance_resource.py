"""The VirtualMachineInstance kind: names, columns, defaults, validation. Source of the columns: KubeVirt's CRD."""

from __future__ import annotations

from solovirt.api.columns import condition_status, crd_age
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.presets import ADMISSION
from solovirt.api.kubevirt.validation.virtualmachineinstance import validate_vmi
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.kubevirt.warnings import vmi_warnings
from solovirt.api.resource import Column, Resource


def _address(vmi: VirtualMachineInstance) -> str | None:
    """``.status.interfaces[0].ipAddress``"""
    return vmi.status.interfaces[0].ip_address if vmi.status.interfaces else None


RESOURCE = Resource(
    group="kubevirt.io",
    version="v1",
    other_versions=("v1alpha3",),
    kind="VirtualMachineInstance",
    plural="virtualmachineinstances",
    singular="virtualmachineinstance",
    type=VirtualMachineInstance,
    short_names=("vmi", "vmis"),
    categories=("all",),
    columns=(
        crd_age(VirtualMachineInstance),
        Column("Phase", lambda obj: obj.status.phase),
        Column("IP", _address),
        Column("NodeName", lambda obj: obj.status.node_name),
        Column("Ready", lambda obj: condition_status(obj.status.conditions, "Ready")),
        Column("Live-Migratable", lambda obj: condition_status(obj.status.conditions, "LiveMigratable"), priority=1),
        Column("Paused", lambda obj: condition_status(obj.status.conditions, "Paused"), priority=1),
    ),
    has_status=True,
    default=default_vmi,
    warn=vmi_warnings,
    validate=validate_vmi,
    admission=ADMISSION,
)
