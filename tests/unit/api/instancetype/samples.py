"""Objects for the tests of instancetypes: VMs, types, and a lookup over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from solovirt.api.decode import decode
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.instancetype import InstancetypeSpec
from solovirt.api.instancetype.preference import PreferenceSpec
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import KubeObject
from solovirt.api.registry import VIRTUAL_MACHINES
from solovirt.api.resource import Resource
from solovirt.kit.json import JsonObject, clone, convert

T = TypeVar("T", bound=KubeObject)


class Objects:
    """A ``Lookup`` over what it was given."""

    def __init__(self, *objects: KubeObject) -> None:
        self.objects = objects

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None:
        return next((o for o in self.every(res, namespace) if o.metadata.name == name), None)

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        wanted = namespace if res.namespaced else ""
        mine = [o for o in self.objects if isinstance(o, res.type)]
        return [clone(o) for o in mine if wanted is None or o.metadata.namespace == wanted]


def make(res: Resource[T], name: str, spec: JsonObject, **metadata: object) -> T:
    meta = {"name": name, **({"namespace": "default"} if res.namespaced else {}), **metadata}
    return decode(res, {"metadata": meta, "spec": spec}).object  # type: ignore[dict-item]


def instancetype(vcpus: int = 2, memory: str = "1Gi", **more: object) -> InstancetypeSpec:
    """``more`` are further fields, those of cpu and memory as dictionaries."""
    cpu, mem = more.pop("cpu", {}), more.pop("memory_more", {})
    assert isinstance(cpu, dict)
    assert isinstance(mem, dict)
    return convert({"cpu": {"guest": vcpus, **cpu}, "memory": {"guest": memory, **mem}, **more}, InstancetypeSpec)


def preference(**fields: object) -> PreferenceSpec:
    return convert(fields, PreferenceSpec)


def types(given: InstancetypeSpec | None = None, liked: PreferenceSpec | None = None) -> Types:
    return Types(given, liked)


def spec(**domain: object) -> VirtualMachineInstanceSpec:
    return convert({"domain": domain}, VirtualMachineInstanceSpec)


def vm(domain: object = None, **fields: object) -> VirtualMachine:
    """A VM of the namespace default; ``fields`` are of its spec."""
    template = {"spec": {"domain": domain or {}}}
    whole = {"runStrategy": "Halted", "template": template, **fields}
    return decode(VIRTUAL_MACHINES, {"metadata": {"name": "web", "namespace": "default"}, "spec": whole}).object  # type: ignore[dict-item]
