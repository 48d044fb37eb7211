"""The objects that a VirtualMachine makes: its VMI, its DataVolumes. Pure.

Source: kubevirt pkg/virt-controller/watch/vm/vm.go, ``setupVMIFromVM`` and ``createDataVolumeManifest``.
"""

from __future__ import annotations

from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.admission import Lookup, Nothing
from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.expand import template_of
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.live.compute import keep_headroom
from solovirt.api.kubevirt.live.merge import merge, needs_restart
from solovirt.api.kubevirt.presets import mutate as apply_presets
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import KubeObject, ObjectMeta, OwnerReference
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import clone

VMI_FINALIZER = "kubevirt.io/foregroundDeleteVirtualMachine"
VM_FINALIZER = "kubevirt.io/virtualMachineControllerFinalize"
NAME_LABEL = "vm.kubevirt.io/name"
CREATED_BY = "kubevirt.io/created-by"
NODE_NAME = "kubevirt.io/nodeName"


NO_TYPES = Types()
NOTHING = Nothing()


def make_vmi(vm: VirtualMachine, types: Types = NO_TYPES, *, paused: bool = False) -> VirtualMachineInstance:
    """The VMI of this VM, as it is to be created; ``paused``: it waits before its first instruction.

    Raises SolovirtError with reason FailedCreate when the VM sets what its instancetype gives.
    """
    template, conflicts = template_of(vm, types, "spec")
    if conflicts:
        text = f"Failed to apply instancetype: VMI conflicts with instancetype spec in fields: [{', '.join(conflicts)}]"
        raise SolovirtError(text, reason="FailedCreate")
    meta = template.metadata
    spec = template.spec
    if paused:
        spec.start_strategy = "Paused"
    return VirtualMachineInstance(
        metadata=ObjectMeta(
            name=vm.metadata.name,
            namespace=vm.metadata.namespace,
            labels={**meta.labels, NAME_LABEL: vm.metadata.name},
            annotations=dict(meta.annotations),
            owner_references=[owner(vm, registry.VIRTUAL_MACHINES.api_version, registry.VIRTUAL_MACHINES.kind)],
            finalizers=[VMI_FINALIZER],
        ),
        spec=spec,
    )


def make_data_volume(vm: VirtualMachine, template: DataVolumeTemplate) -> DataVolume:
    """A DataVolume that goes with the VM."""
    meta = template.metadata
    return DataVolume(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=vm.metadata.namespace,
            labels={**meta.labels, CREATED_BY: vm.metadata.uid},
            annotations=dict(meta.annotations),
            owner_references=[owner(vm, registry.VIRTUAL_MACHINES.api_version, registry.VIRTUAL_MACHINES.kind)],
        ),
        spec=clone(template.spec),
    )


def owner(obj: KubeObject, api_version: str, kind: str) -> OwnerReference:
    """``obj`` as the controlling owner of something."""
    return OwnerReference(
        api_version=api_version,
        kind=kind,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def controls(owner_uid: str, obj: KubeObject) -> bool:
    """Whether ``owner_uid`` is the controlling owner of ``obj``."""
    return any(ref.uid == owner_uid and ref.controller for ref in obj.metadata.owner_references)


def next_vmi(
    vm: VirtualMachine, types: Types, objects: Lookup, running: VirtualMachineInstance | None = None
) -> VirtualMachineInstance:
    """What the store would make of :func:`make_vmi` now; with the headroom of a machine that runs already.

    Raises what make_vmi raises; BadRequest where presets conflict.
    """
    fresh = make_vmi(vm, types)
    apply_presets(fresh, None, objects)
    given = clone(fresh.spec)
    default_vmi(fresh)
    if running is not None:
        keep_headroom(given, fresh.spec, running.spec)
        fresh.spec.start_strategy = running.spec.start_strategy
    return fresh


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """``spec`` is what the VMI shall be now; ``outdated``: something of the VM waits for a restart."""

    spec: VirtualMachineInstanceSpec
    outdated: bool


def live_update(
    vm: VirtualMachine, vmi: VirtualMachineInstance, types: Types = NO_TYPES, objects: Lookup = NOTHING
) -> LiveUpdate:
    """How a VMI that exists follows its VM. A VM of which no VMI could be made leaves it as it is."""
    try:
        fresh = next_vmi(vm, types, objects, vmi)
    except SolovirtError:
        return LiveUpdate(vmi.spec, outdated=True)
    at_boot = vmi.status.memory.guest_at_boot if vmi.status.memory is not None else None
    merged = merge(fresh.spec, vmi.spec, at_boot)
    return LiveUpdate(merged, outdated=needs_restart(fresh.spec, merged))
