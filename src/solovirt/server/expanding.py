"""A VM with its instancetype and preference written out: ``expand-spec`` and ``expand-vm-spec``.

Source: kubevirt pkg/virt-api/rest/expand.go.
"""

from __future__ import annotations

from solovirt.api import registry
from solovirt.api.admission import Lookup
from solovirt.api.decode import decode
from solovirt.api.instancetype.apply import conflict_message
from solovirt.api.instancetype.expand import expanded
from solovirt.api.instancetype.find import types_of
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit import json
from solovirt.kit.errors import BadRequest, NotFound, SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.store.objects import Objects

VMS = registry.VIRTUAL_MACHINES


def expand_stored(objects: Objects, namespace: str, name: str) -> JsonObject:
    """Raises NotFound, SolovirtError (500) when the VM and its instancetype conflict by now."""
    vm = objects.find(VMS, namespace, name)
    if vm is None:
        raise NotFound(f'{VMS.key} "{name}" not found')
    return _expanded(vm, objects)


def expand_given(objects: Lookup, namespace: str, body: JsonObject) -> JsonObject:
    """Raises BadRequest: what is no VirtualMachine, another namespace, unknown types, conflicts."""
    vm = decode(VMS, body).object
    if vm.metadata.namespace not in ("", namespace):
        raise BadRequest(f"VM namespace must be empty or {namespace}", field="metadata.namespace")
    vm.metadata.namespace = namespace
    try:
        return _expanded(vm, objects)
    except SolovirtError as error:
        raise BadRequest(error.message, hint=error.hint) from error


def _expanded(vm: VirtualMachine, objects: Lookup) -> JsonObject:
    made, conflicts = expanded(vm, types_of(vm, objects))
    if conflicts:
        raise SolovirtError(conflict_message(conflicts))
    made.api_version, made.kind = VMS.api_version, VMS.kind
    return json.to_object(made)
