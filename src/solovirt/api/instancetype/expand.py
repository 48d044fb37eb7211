"""A VM's template as its instancetype and preference complete it: for a VMI, for ``expand-spec``, for admission. Pure.

Source: kubevirt pkg/virt-controller/watch/vm (startVMI), pkg/instancetype/expand.
"""

from __future__ import annotations

from solovirt.api.instancetype import apply_preference
from solovirt.api.instancetype.apply import Types, apply
from solovirt.api.instancetype.find import annotations_of
from solovirt.api.kubevirt.defaulting.network import default_network
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.devices import Input
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.kit.json import clone

FIELD = "spec.template.spec"


def template_of(vm: VirtualMachine, types: Types, field: str = FIELD) -> tuple[InstanceTemplate, list[str]]:
    """A copy of the template with everything applied, and the fields that conflict (then it is not complete)."""
    template = clone(vm.spec.template)
    if not types:
        return template, []
    devices = template.spec.domain.devices
    if types.preference is not None and types.preference.devices is not None:
        apply_preference.apply_autoattach(types.preference.devices, devices)
    if devices.autoattach_input_device and not devices.inputs:
        devices.inputs.append(Input(name="default-0", type=""))
    _name_disks(template.spec)
    default_network(template.spec)
    template.metadata.annotations.update(annotations_of(vm))
    conflicts = apply(types, template.spec, template.metadata, field)
    for device in devices.inputs:
        device.type, device.bus = device.type or "tablet", device.bus or "usb"
    return template, conflicts


def expanded(vm: VirtualMachine, types: Types) -> tuple[VirtualMachine, list[str]]:
    """The VM that would be the same without its matchers, as ``expand-spec`` shows it, and the fields that conflict."""
    made = clone(vm)
    made.spec.template, conflicts = template_of(vm, types)
    if types and not conflicts:
        made.spec.template.spec = defaulted(made.spec.template.spec, vm.metadata.uid)
    made.spec.instancetype = made.spec.preference = None
    made.status.instancetype_ref = made.status.preference_ref = None
    return made, conflicts


def defaulted(spec: VirtualMachineInstanceSpec, uid: str) -> VirtualMachineInstanceSpec:
    """A copy with all that a VMI would get."""
    vmi = VirtualMachineInstance(spec=clone(spec))
    vmi.metadata.uid = uid
    default_vmi(vmi)
    return vmi.spec


def _name_disks(spec: VirtualMachineInstanceSpec) -> None:
    """A disk for every volume that has none yet, so that the preference may choose its bus."""
    devices = spec.domain.devices
    named = {disk.name for disk in devices.disks} | {shared.name for shared in devices.filesystems}
    found = [volume.name for volume in spec.volumes if volume.memory_dump is None]
    devices.disks.extend(Disk(name=name) for name in found if name not in named)
