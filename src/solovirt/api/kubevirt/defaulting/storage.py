"""What KubeVirt fills in for disks and volumes. Source: kubevirt pkg/util SetDefaultVolumeDisk, pkg/defaults (amd64),
api/core/v1/defaults.go."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec

DISK_BUS = "sata"


def default_pull_policies(spec: VirtualMachineInstanceSpec) -> None:
    """Of containerDisks and of the container of kernelBoot."""
    for volume in spec.volumes:
        disk = volume.container_disk
        if disk is not None:
            disk.image_pull_policy = disk.image_pull_policy or pull_policy(disk.image)
    firmware = spec.domain.firmware
    container = firmware.kernel_boot.container if firmware is not None and firmware.kernel_boot is not None else None
    if container is not None:
        container.image_pull_policy = container.image_pull_policy or pull_policy(container.image)


def pull_policy(image: str) -> str:
    """Always for ``:latest`` and untagged images, IfNotPresent for other tags and digests.

    As in KubeVirt, the port of a registry passes for a tag.
    """
    tagged = ":" in image or "@" in image
    return "IfNotPresent" if tagged and not image.endswith(":latest") else "Always"


def default_disks(spec: VirtualMachineInstanceSpec) -> None:
    """A disk for every volume that neither a disk nor a filesystem names; a target, its bus, tray and write protection.

    Memory dumps are no guest disks.
    """
    devices = spec.domain.devices
    named = {disk.name for disk in devices.disks} | {shared.name for shared in devices.filesystems}
    guests = [volume.name for volume in spec.volumes if volume.memory_dump is None]
    devices.disks.extend(Disk(name=name) for name in guests if name not in named)
    for disk in devices.disks:
        _default_target(disk)


def _default_target(disk: Disk) -> None:
    if disk.disk is None and disk.cdrom is None and disk.lun is None:
        disk.disk = DiskTarget()
    if disk.disk is not None:
        disk.disk.bus = disk.disk.bus or DISK_BUS
    if disk.lun is not None:
        disk.lun.bus = disk.lun.bus or DISK_BUS
    if disk.cdrom is not None:
        disk.cdrom.bus = disk.cdrom.bus or DISK_BUS
        disk.cdrom.tray = disk.cdrom.tray or "closed"
        disk.cdrom.readonly = True if disk.cdrom.readonly is None else disk.cdrom.readonly
