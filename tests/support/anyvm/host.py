"""A case of a random manifest: defaulted, with bindings for everything that it names."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host.model.bindings import (
    BlockSizes,
    CPUPlacement,
    DiskImage,
    HostDeviceBinding,
    KernelBinding,
    VolumeBinding,
)
from solovirt.host.model.facts import HostFacts
from solovirt.kit.jsontypes import JsonObject
from tests.golden.cases import STATE, UUID, Case, Overrides, default_bindings, volume_binding
from tests.support.anyvm.machine import decoded

_CARDS = {
    "hba": HostDeviceBinding("hba", "pci", "0000:81:00.0"),
    "stick": HostDeviceBinding("stick", "usb", "1-4"),
    "gpu1": HostDeviceBinding("gpu1", "mdev", "/sys/bus/mdev/devices/53764d0e-85a0-42b4-af5c-2046b460b1dc"),
}


def case(manifest: JsonObject, facts: HostFacts) -> Case:
    vmi = decoded(manifest)
    identified = vmi.spec.domain.firmware = vmi.spec.domain.firmware or Firmware()
    identified.uuid = identified.uuid or UUID
    default_vmi(vmi)
    return Case(
        "any", vmi.spec, facts, default_bindings("any", vmi.spec, _overrides(vmi.spec), {}, facts), "spec", None
    )


def _overrides(spec: VirtualMachineInstanceSpec) -> Overrides:
    domain, given = spec.domain, Overrides()
    volumes = {volume.name: volume for volume in spec.volumes}
    for disk in domain.devices.disks:
        if disk.lun is not None:
            image = DiskImage(f"{STATE}/devices/{disk.name}", "raw", block_device=True, direct_io=True)
            given.volumes[disk.name] = VolumeBinding(disk.name, "persistentVolumeClaim", image)
        elif disk.block_size is not None and disk.name in volumes:
            bound = volume_binding("any", volumes[disk.name])
            image = msgspec.structs.replace(bound.image, blocks=BlockSizes(512, 4096, 4096))
            given.volumes[disk.name] = msgspec.structs.replace(bound, image=image)
    boot = domain.firmware.kernel_boot if domain.firmware is not None else None
    if boot is not None:
        given.kernel = KernelBinding(f"{STATE}/images/vmlinuz", f"{STATE}/images/initrd")
    cpu = domain.cpu
    if cpu is not None and cpu.dedicated_cpu_placement:
        count = (cpu.sockets or 1) * (cpu.cores or 1) * (cpu.threads or 1)
        given.cpus = CPUPlacement(tuple(range(2, 2 + count)), (1,))
    asked = [gpu.name for gpu in domain.devices.gpus] + [card.name for card in domain.devices.host_devices]
    given.host_devices = {name: _CARDS[name] for name in asked if name in _CARDS}
    given.host_devices |= {
        nic.name: HostDeviceBinding(nic.name, "pci", "0000:5e:02.1")
        for nic in domain.devices.interfaces
        if nic.sriov is not None
    }
    return given
