"""Rules for a VirtualMachine. Source: kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vms-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.metadata import check_metadata
from solovirt.kit.errors import Cause
from solovirt.kit.names import LABEL_MAX


def validate_vm(new: VirtualMachine, old: VirtualMachine | None) -> list[Cause]:
    """Every problem of a VirtualMachine."""
    causes = Causes()
    check_metadata(causes, new.metadata, max_name=LABEL_MAX)
    return causes.found
