"""VirtualMachines with an instancetype or a preference, when they are written.

Source: kubevirt pkg/instancetype/webhooks/vm, admitters/vms-admitter.go. A name that nothing has yet is let through, as
there: the VM says so in its status, unless it would have no memory.
"""

from __future__ import annotations

from solovirt.api.admission import Admission, Expanded, Lookup
from solovirt.api.causes import REQUIRED
from solovirt.api.instancetype import apply_preference, requirements
from solovirt.api.instancetype.apply import Types, conflict_causes, spread_causes
from solovirt.api.instancetype.expand import FIELD, defaulted, template_of
from solovirt.api.instancetype.find import instancetype_of, preference_of
from solovirt.api.instancetype.infer import infer
from solovirt.api.instancetype.matchers import NOT_FOUND
from solovirt.api.instancetype.preference import PreferenceSpec
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.quantities import as_bytes
from solovirt.kit.errors import Cause, SolovirtError
from solovirt.kit.json import clone


def mutate(vm: VirtualMachine, old: VirtualMachine | None, objects: Lookup) -> None:
    """Infers names, and fills in what the preference says of machine, architecture and storage classes.

    Raises BadRequest when nothing can be inferred.
    """
    if vm.spec.instancetype is None and vm.spec.preference is None:
        return
    infer(vm, objects)
    try:
        preference = preference_of(vm, objects)
    except SolovirtError:
        return
    if preference is not None:
        apply_preference.apply_platform(preference, vm.spec.template.spec)
        _choose_storage(vm, preference)


def expand(vm: VirtualMachine, objects: Lookup) -> Expanded[VirtualMachine]:
    """The VM with everything applied, for the rules of VMs to judge; conflicts and unmet requirements as causes."""
    if vm.spec.instancetype is None and vm.spec.preference is None:
        return Expanded(vm)
    types, causes = _known(vm, objects)
    causes += spread_causes(types)
    whole = clone(vm)
    if not causes:
        whole.spec.template, conflicts = template_of(vm, types)
        causes += conflict_causes(conflicts)
    if not causes:
        causes += requirements.check(types, defaulted(whole.spec.template.spec, vm.metadata.uid))
    return Expanded(whole, causes)


def _known(vm: VirtualMachine, objects: Lookup) -> tuple[Types, list[Cause]]:
    """What can be found; the rest is the controller's to tell."""
    instancetype = preference = None
    causes: list[Cause] = []
    try:
        instancetype = instancetype_of(vm, objects)
    except SolovirtError as error:
        if not _has_memory(vm):
            causes = _without_memory(error)
    try:
        preference = preference_of(vm, objects)
    except SolovirtError:
        preference = None
    return Types(instancetype, preference), causes


def _has_memory(vm: VirtualMachine) -> bool:
    domain = vm.spec.template.spec.domain
    memory, resources = domain.memory, domain.resources
    guest = memory is not None and (memory.guest is not None or memory.hugepages is not None)
    return guest or bool(as_bytes(resources.requests.get("memory")) or as_bytes(resources.limits.get("memory")))


def _without_memory(error: SolovirtError) -> list[Cause]:
    place = f"{FIELD}.domain"
    names = f"'{place}.memory.guest', '{place}.memory.hugepages.pageSize' or '{place}.resources.requests.memory'"
    hint = f" ({error.hint})" if error.hint else ""
    return [
        Cause(NOT_FOUND, f"spec.instancetype: {error.message}{hint}", "spec.instancetype"),
        Cause(REQUIRED, f"no memory requested, at least one of {names} must be set", f"{place}.memory.guest"),
    ]


def _choose_storage(vm: VirtualMachine, preference: PreferenceSpec) -> None:
    """A storage class for the DataVolumes that name none: they are made before the VMI."""
    name = preference.volumes.preferred_storage_class_name if preference.volumes is not None else ""
    if not name:
        return
    for template in vm.spec.data_volume_templates:
        for target in (template.spec.pvc, template.spec.storage):
            if target is not None and target.storage_class_name is None:
                target.storage_class_name = name


ADMISSION: Admission[VirtualMachine] = Admission(mutate=mutate, expand=expand)
