"""Rules for a VirtualMachineInstance. Source: kubevirt admitters/vmi-{create,update}-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.metadata import check_metadata
from solovirt.kit.errors import Cause
from solovirt.kit.names import LABEL_MAX


def validate_vmi(new: VirtualMachineInstance, old: VirtualMachineInstance | None) -> list[Cause]:
    """Every problem of a VirtualMachineInstance; on update nothing of its spec may change."""
    causes = Causes()
    check_metadata(causes, new.metadata, max_name=LABEL_MAX)
    if old is not None and new.spec != old.spec:
        causes.add("FieldValueNotSupported", "spec", "update of VMI object is restricted")
    return causes.found
