"""The VirtualMachineInstancePreset kind: names, columns, validation.

Source: KubeVirt's CRD and admitters/vmi-preset-admitter.go.
"""

from __future__ import annotations

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.columns import crd_age
from solovirt.api.kubevirt.preset import VirtualMachineInstancePreset
from solovirt.api.kubevirt.validation.firmware import check_firmware
from solovirt.api.labelselector import compile_selector
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Resource
from solovirt.kit.errors import Cause


def validate(new: VirtualMachineInstancePreset, old: VirtualMachineInstancePreset | None) -> list[Cause]:
    """What it would make is judged in the VMIs that it is merged into."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    try:
        compile_selector(new.spec.selector)
    except ValueError as error:
        causes.add(INVALID, "spec.selector", f"spec.selector: {error}")
    domain = new.spec.domain
    if domain is None:
        causes.add(REQUIRED, "spec.domain", "missing domain.")
    elif domain.firmware is not None:
        check_firmware(causes, domain.firmware, "spec.domain.firmware")
    return causes.found


RESOURCE = Resource(
    group="kubevirt.io",
    version="v1",
    other_versions=("v1alpha3",),
    kind="VirtualMachineInstancePreset",
    plural="virtualmachineinstancepresets",
    singular="virtualmachineinstancepreset",
    type=VirtualMachineInstancePreset,
    short_names=("vmipreset", "vmipresets"),
    categories=("all",),
    columns=(crd_age(VirtualMachineInstancePreset),),
    validate=validate,
)
