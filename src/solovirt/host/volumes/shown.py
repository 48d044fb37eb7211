"""Which volumes of a VMI are disks. Pure."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance


def shown_as_disk(vmi: VirtualMachineInstance, volume: Volume) -> bool:
    """Whether the volume is a disk: not a shared directory, and not a memory dump."""
    shared = {filesystem.name for filesystem in vmi.spec.domain.devices.filesystems}
    return volume.memory_dump is None and volume.container_path is None and volume.name not in shared
