"""Keeps, for each VM, the instancetype and the preference that it was made with.

The snapshots are ControllerRevisions which the VM owns; its status names them. Source: kubevirt
pkg/instancetype/revision, pkg/instancetype/controller/vm.
"""

from __future__ import annotations

from solovirt.api import registry
from solovirt.api.apps.controllerrevision import ControllerRevision
from solovirt.api.instancetype import find
from solovirt.api.instancetype.apply import Types, conflict_message
from solovirt.api.instancetype.expand import template_of
from solovirt.api.instancetype.instancetype import AnyInstancetype
from solovirt.api.instancetype.matchers import MatcherRef, RevisionRef
from solovirt.api.instancetype.preference_rules import AnyPreference
from solovirt.api.instancetype.revision import snapshot, synced
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.controllers.vm.factory import owner
from solovirt.kit.errors import AlreadyExists, SolovirtError
from solovirt.store.objects import Objects

VMS = registry.VIRTUAL_MACHINES


async def store(objects: Objects, vm: VirtualMachine) -> VirtualMachine:
    """The VM with snapshots of what it names, stored now where there were none.

    Raises SolovirtError with reason FailedFindInstancetype, FailedFindPreference or FailedCreate.
    """
    spec, status = vm.spec, vm.status
    if spec.instancetype is None and spec.preference is None:
        if status.instancetype_ref is None and status.preference_ref is None:
            return vm
        return await _remember(objects, vm, None, None)
    find.types_of(vm, objects)
    instancetype = preference = None
    try:
        if spec.instancetype is not None:
            instancetype = synced(spec.instancetype, status.instancetype_ref)
            if not instancetype.revision:
                named = find.instancetype_named(vm, objects)
                _check(vm, named)
                instancetype.controller_revision_ref = await _snapshot(objects, vm, named)
        if spec.preference is not None:
            preference = synced(spec.preference, status.preference_ref)
            if not preference.revision:
                liked = find.preference_named(vm, objects)
                preference.controller_revision_ref = await _snapshot(objects, vm, liked)
    except SolovirtError as error:
        text = f"error encountered while storing instancetype.kubevirt.io controllerRevisions: {error}"
        raise SolovirtError(text, reason="FailedCreate") from error
    if (instancetype, preference) == (status.instancetype_ref, status.preference_ref):
        return vm
    return await _remember(objects, vm, instancetype, preference)


def _check(vm: VirtualMachine, named: AnyInstancetype) -> None:
    """The instancetype may have been changed since the VM was let in."""
    if conflicts := template_of(vm, Types(named.spec))[1]:
        raise SolovirtError(conflict_message(conflicts))


async def _snapshot(objects: Objects, vm: VirtualMachine, obj: AnyInstancetype | AnyPreference) -> RevisionRef:
    made = snapshot(vm, obj, owner(vm, VMS.api_version, VMS.kind))
    try:
        stored = await objects.create(registry.CONTROLLER_REVISIONS, made)
    except AlreadyExists:
        stored = objects.get(registry.CONTROLLER_REVISIONS, made.metadata.namespace, made.metadata.name)
        if not _same(stored, made):
            text = f"found existing ControllerRevision with unexpected data: {made.metadata.name}"
            raise SolovirtError(text) from None
    return RevisionRef(name=stored.metadata.name)


def _same(one: ControllerRevision, other: ControllerRevision) -> bool:
    return all(one.data.get(key) == other.data.get(key) for key in ("kind", "spec"))


async def _remember(
    objects: Objects, vm: VirtualMachine, instancetype: MatcherRef | None, preference: MatcherRef | None
) -> VirtualMachine:
    def change(found: VirtualMachine) -> bool:
        found.status.instancetype_ref, found.status.preference_ref = instancetype, preference
        return True

    return await objects.modify(VMS, vm.metadata.namespace, vm.metadata.name, change, status=True)
