"""Objects for the tests of the api room."""

from __future__ import annotations

import copy

from solovirt.api.decode import decode
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from solovirt.kit.errors import Cause
from solovirt.kit.json import Json, JsonObject
from solovirt.kit.linemap import split_field

SPEC: JsonObject = {
    "domain": {
        "cpu": {"cores": 2},
        "memory": {"guest": "128Mi"},
        "devices": {
            "disks": [{"name": "root", "disk": {"bus": "virtio"}}, {"name": "seed", "cdrom": {"bus": "sata"}}],
            "interfaces": [{"name": "default", "masquerade": {}}],
        },
    },
    "networks": [{"name": "default", "pod": {}}],
    "volumes": [
        {"name": "root", "containerDisk": {"image": "quay.io/containerdisks/fedora:41"}},
        {"name": "seed", "cloudInitNoCloud": {"userData": "#cloud-config\n"}},
    ],
}
VM: JsonObject = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"runStrategy": "Always", "template": {"metadata": {"labels": {"app": "web"}}, "spec": SPEC}},
}
VMI: JsonObject = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstance",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": SPEC,
}
REMOVED = object()


def changed(base: JsonObject, changes: dict[str, object]) -> JsonObject:
    """A copy of ``base`` with values set (or REMOVED) at field paths like ``spec.volumes[0].name``."""
    result = copy.deepcopy(base)
    for field, value in changes.items():
        *parents, last = split_field(field)
        node: Json = result
        for part in parents:
            if isinstance(node, list):
                assert isinstance(part, int)
                node = node[part]
            else:
                assert isinstance(node, dict)
                node = node.setdefault(str(part), {})
        _put(node, last, value)
    return result


def _put(node: Json, key: str | int, value: object) -> None:
    if isinstance(node, list):
        assert isinstance(key, int)
        if key == len(node):
            node.append(None)
        node[key] = value
    else:
        assert isinstance(node, dict)
        if value is REMOVED:
            del node[str(key)]
        else:
            node[str(key)] = value


def vm(changes: dict[str, object] | None = None) -> VirtualMachine:
    """A decoded VirtualMachine, neither defaulted nor validated."""
    return decode(VIRTUAL_MACHINES, changed(VM, changes or {})).object


def vmi(changes: dict[str, object] | None = None) -> VirtualMachineInstance:
    return decode(VIRTUAL_MACHINE_INSTANCES, changed(VMI, changes or {})).object


def spec_causes(changes: dict[str, object]) -> list[Cause]:
    """What validation says of a VMI whose spec is changed (paths are below ``spec``), after defaulting."""
    instance = vmi({f"spec.{field}": value for field, value in changes.items()})
    VIRTUAL_MACHINE_INSTANCES.default(instance)
    return VIRTUAL_MACHINE_INSTANCES.validate(instance, None)


def only(causes: list[Cause]) -> Cause:
    assert len(causes) == 1, causes
    return causes[0]
