"""Devices that the manifest tags, and where the guest finds them: for the metadata of a ConfigDrive. Pure.

The addresses are the layout's, as everywhere: ``0000:07:00.0`` is root port 7, as KubeVirt tells it. Source: KubeVirt
pkg/virt-launcher/virtwrap ``buildDevicesMetadata``.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.devices import GPU, HostDevice
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.compile import drives, plan
from solovirt.compile.configurators import nics
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Place
from solovirt.host.model.bindings import Bindings, TaggedDevice
from solovirt.host.model.facts import HostFacts


def wanted(spec: VirtualMachineInstanceSpec) -> bool:
    devices = spec.domain.devices
    mine = [disk.tag for disk in devices.disks] + [nic.tag for nic in devices.interfaces]
    return any((*mine, *(passed.tag for passed in _passed(spec))))


def _passed(spec: VirtualMachineInstanceSpec) -> list[GPU | HostDevice]:
    return [*spec.domain.devices.gpus, *spec.domain.devices.host_devices]


def tagged(spec: VirtualMachineInstanceSpec, facts: HostFacts, bindings: Bindings) -> tuple[TaggedDevice, ...]:
    """Every tagged device. Volumes need not be bound yet. Raises ``Invalid`` or ``HostError`` where nothing fits."""
    if not wanted(spec):
        return ()
    bare = Context(spec, facts, bindings)
    layout = plan.layout_of(bare)
    found: list[TaggedDevice] = []
    for index, nic in enumerate(spec.domain.devices.interfaces):
        place = layout.places.get(device_id(nic.name))
        if nic.tag and place is not None:
            mac = nics.mac_address(bare, index)[0]
            found.append(TaggedDevice("nic", "pci", _address(place), mac=mac, tags=(nic.tag,)))
    for disk in spec.domain.devices.disks:
        place = layout.places.get(device_id(disk.name))
        if disk.tag and place is not None:
            bus = "pci" if drives.bus_of(disk) == "virtio" else drives.bus_of(disk)
            found.append(TaggedDevice("disk", bus, _address(place), serial=disk.serial, tags=(disk.tag,)))
    for passed in _passed(spec):
        place = layout.places.get(device_id(passed.name))
        if passed.tag and place is not None:
            found.append(TaggedDevice("hostdev", "pci", _address(place), tags=(passed.tag,)))
    return tuple(found)


def _address(place: Place) -> str:
    match place.bus:
        case "pci":
            return f"0000:{place.index:02x}:00.0"
        case "pcie.0":
            return f"0000:00:{place.index:02x}.0"
        case "scsi0.0":
            return f"0:0:0:{place.index}"
    return str(place.index)
