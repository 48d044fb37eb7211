"""Rules for a VirtualMachineInstance. Source: kubevirt admitters/vmi-{create,update}-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.live.merge import merge, needs_restart
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.kubevirt.validation.spec import check_instance_metadata, check_spec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.metadata import check_metadata
from solovirt.kit.errors import Cause
from solovirt.kit.names import LABEL_MAX


def boot_memory(vmi: VirtualMachineInstance) -> Quantity | None:
    """The memory that a running machine was started with."""
    return vmi.status.memory.guest_at_boot if vmi.status.memory is not None else None


def validate_vmi(new: VirtualMachineInstance, old: VirtualMachineInstance | None) -> list[Cause]:
    """Every problem of a VirtualMachineInstance; on update only what a running machine can follow may
    change.

    Reserved labels are refused on a VMI that nobody owns: one made by a controller carries them.
    """
    causes = Causes()
    if new.metadata.deletion_timestamp is not None:
        return causes.found
    check_metadata(causes, new.metadata, max_name=LABEL_MAX)
    if old is not None:
        if needs_restart(new.spec, merge(new.spec, old.spec, boot_memory(old))):
            causes.add(NOT_SUPPORTED, "spec", "update of VMI object is restricted")
        elif new.spec != old.spec:
            check_spec(causes, new.spec, "spec")
        return causes.found
    if not new.metadata.owner_references:
        check_instance_metadata(causes, new.metadata, "metadata")
    check_spec(causes, new.spec, "spec")
    return causes.found
