"""What a disk of the manifest comes to: its volume, bus, cache mode, and whether it may be written. No options yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.compile.context import Context, device_id
from solovirt.compile.options import Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.bindings import DiskImage, VolumeBinding
from solovirt.kit.errors import HostError

DISK_BUSES = ("virtio", "sata", "scsi", "usb")
CDROM_BUSES = ("sata", "scsi")
CACHES = ("none", "writethrough", "writeback")
IO_MODES = ("native", "threads")
DEFAULT_BUS = "sata"
_SEEDS = ("cloudInitNoCloud", "cloudInitConfigDrive", "configMap", "secret")
"""Volumes whose image is made for this VM alone."""


@dataclass(frozen=True, slots=True)
class Drive:
    """``path`` is the disk's field path, ``source_path`` that of its volume's source ("volumes[0].containerDisk")."""

    disk: Disk
    path: str
    source_path: str
    volume: VolumeBinding
    cdrom: bool
    bus: str
    bus_why: Reason
    cache: Literal["none", "writethrough", "writeback"]
    cache_why: Reason
    read_only: bool
    read_only_why: Reason

    @property
    def device(self) -> str:
        return device_id(self.disk.name)

    @property
    def direct(self) -> bool:
        """The host's page cache is bypassed."""
        return self.cache == "none"


def disk_path(index: int) -> str:
    return f"domain.devices.disks[{index}]"


def bus_of(disk: Disk) -> str:
    target = disk.cdrom or disk.disk
    return (target.bus if target else "") or DEFAULT_BUS


def resolve(ctx: Context, index: int) -> Drive:
    """Raises ``Invalid`` for what the manifest got wrong, ``HostError`` for a volume that the host did not resolve."""
    disk, path = ctx.devices.disks[index], disk_path(index)
    if disk.disk is not None and disk.cdrom is not None:
        raise invalid(path, "a disk is either disk or cdrom, not both")
    volume, source_path = _volume(ctx, disk, path)
    bus, bus_why = _bus(disk, path)
    cache, cache_why = _cache(disk, path, volume.image)
    read_only, read_only_why = _read_only(disk, path, volume, bus, source_path)
    return Drive(
        disk=disk,
        path=path,
        source_path=source_path,
        volume=volume,
        cdrom=disk.cdrom is not None,
        bus=bus,
        bus_why=bus_why,
        cache=cache,
        cache_why=cache_why,
        read_only=read_only,
        read_only_why=read_only_why,
    )


def _volume(ctx: Context, disk: Disk, path: str) -> tuple[VolumeBinding, str]:
    for index, volume in enumerate(ctx.spec.volumes):
        if volume.name == disk.name:
            source = f"volumes[{index}]"
            bound = ctx.bindings.volumes.get(disk.name)
            if bound is None:
                text = f'volume "{disk.name}" has not been resolved on this host'
                raise HostError(text, reason="InvalidBindings", field=source)
            return bound, f"{source}.{bound.source}"
    raise invalid(f"{path}.name", f'there is no volume "{disk.name}"', hint="every disk needs a volume of its name")


def _bus(disk: Disk, path: str) -> tuple[str, Reason]:
    target, kind = (disk.cdrom, "cdrom") if disk.cdrom else (disk.disk, "disk")
    field = f"{path}.{kind}.bus"
    known = CDROM_BUSES if disk.cdrom else DISK_BUSES
    if target is None or not target.bus:
        return DEFAULT_BUS, default("KubeVirt's bus for disks that name none", field)
    if target.bus not in known:
        text = f'bus "{target.bus}" is not supported for a {kind}'
        raise invalid(field, text, reason="FieldValueNotSupported", hint="one of " + ", ".join(known))
    return target.bus, manifest(field, f"a {kind} on bus {target.bus}")


def _cache(disk: Disk, path: str, image: DiskImage) -> tuple[Literal["none", "writethrough", "writeback"], Reason]:
    field, direct = f"{path}.cache", _direct_io(image)
    match disk.cache:
        case "":
            if direct:
                return "none", host("the file system has O_DIRECT, so nothing is cached twice", field)
            return "writethrough", host("the file system has no O_DIRECT", field)
        case "none":
            if not direct:
                hint = "use writethrough or writeback, or leave it out"
                raise invalid(field, 'cache "none" needs O_DIRECT, which this volume\'s file system lacks', hint=hint)
            return "none", manifest(field, "cache mode none")
        case "writethrough":
            return "writethrough", manifest(field, "cache mode writethrough")
        case "writeback":
            return "writeback", manifest(field, "cache mode writeback")
        case other:
            raise invalid(field, f'cache mode "{other}" is unknown', hint="one of " + ", ".join(CACHES))


def _direct_io(image: DiskImage) -> bool:
    return image.direct_io and (image.backing is None or _direct_io(image.backing))


def _read_only(disk: Disk, path: str, volume: VolumeBinding, bus: str, source: str) -> tuple[bool, Reason]:
    if disk.cdrom is not None:
        return True, manifest(f"{path}.cdrom", "a CD-ROM is never written")
    sata = bus == "sata"
    if disk.disk and disk.disk.readonly:
        if sata:
            hint = "use bus virtio or scsi, or cdrom"
            raise invalid(f"{path}.disk.readonly", "a SATA disk cannot be read-only", hint=hint)
        return True, manifest(f"{path}.disk.readonly", "the guest may not write to it")
    if not volume.image.read_only:
        return False, default("the guest may write to it", f"{path}.disk.readonly")
    if not sata:
        return True, manifest(source, "the volume is read-only")
    if volume.source in _SEEDS:
        return False, needs("a SATA disk must be writable; the image is this VM's own and made anew at each start")
    hint = "use bus virtio or scsi, or cdrom"
    raise invalid(f"{path}.disk.bus", "the volume is read-only, and a SATA disk cannot be", hint=hint)
