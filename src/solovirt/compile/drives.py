"""What a disk of the manifest comes to: volume, kind, bus, cache mode, whether it may be written. No options yet."""

from __future__ import annotations

from typing import Literal

import msgspec

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.compile.context import Context, device_id
from solovirt.compile.options import Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.bindings import DiskImage, VolumeBinding
from solovirt.kit.errors import HostError

Kind = Literal["disk", "lun", "cdrom"]
CacheMode = Literal["none", "writethrough", "writeback"]
DISK_BUSES = ("virtio", "sata", "scsi", "usb")
CDROM_BUSES = ("sata", "scsi", "usb")
LUN_BUSES = ("scsi",)
CACHES = ("none", "writethrough", "writeback")
IO_MODES = ("native", "threads")
DEFAULT_BUS = "sata"
METRICS = "downwardMetrics"
_OWN = ("cloudInitNoCloud", "cloudInitConfigDrive", "configMap", "secret", "sysprep", "downwardAPI", "serviceAccount")
"""Volumes whose image is made for this VM alone, at each start."""


class Drive(msgspec.Struct, frozen=True):
    """``path`` is the disk's field path, ``source_path`` that of its volume's source ("volumes[0].containerDisk").

    ``volume`` is None for a CD-ROM drive without a medium.
    """

    disk: Disk
    path: str
    source_path: str
    volume: VolumeBinding | None
    kind: Kind
    bus: str
    bus_why: Reason
    cache: CacheMode
    cache_why: Reason
    read_only: bool
    read_only_why: Reason

    @property
    def device(self) -> str:
        return device_id(self.disk.name)

    @property
    def cdrom(self) -> bool:
        return self.kind == "cdrom"

    @property
    def direct(self) -> bool:
        """The host's page cache is bypassed."""
        return self.cache == "none"

    @property
    def shared(self) -> bool:
        """Other machines may write to it at the same time."""
        return self.disk.shareable is True and not self.cdrom


def disk_path(index: int) -> str:
    return f"domain.devices.disks[{index}]"


def kind_of(disk: Disk) -> Kind:
    if disk.cdrom is not None:
        return "cdrom"
    return "lun" if disk.lun is not None else "disk"


def bus_of(disk: Disk) -> str:
    """Where it sits. A LUN is always a SCSI one: ``sata`` is what KubeVirt's defaulting gives to every disk."""
    target = disk.cdrom or disk.lun or disk.disk
    bus = (target.bus if target else "") or DEFAULT_BUS
    return "scsi" if kind_of(disk) == "lun" and bus == DEFAULT_BUS else bus


def resolve(ctx: Context, index: int) -> Drive:
    """Raises ``Invalid`` for what the manifest got wrong, ``HostError`` for a volume that the host did not resolve."""
    disk, path = ctx.devices.disks[index], disk_path(index)
    if sum(target is not None for target in (disk.disk, disk.lun, disk.cdrom)) > 1:
        raise invalid(path, "can only have a single target type defined", hint="one of disk, lun and cdrom")
    kind = kind_of(disk)
    volume, source_path = _volume(ctx, disk, path)
    bus, bus_why = _bus(disk, kind, path)
    if _answered_by_qemu(disk, volume):
        kind, bus_why = "disk", host("a file takes no SCSI commands of its own, so QEMU answers them", f"{path}.lun")
    if volume is None:
        cache, cache_why = _empty_cache(disk, path)
        read_only, read_only_why = True, manifest(f"{path}.cdrom", "a CD-ROM is never written")
    else:
        cache, cache_why = _cache(disk, path, volume)
        read_only, read_only_why = _read_only(disk, path, volume, bus, source_path)
        _check(disk, kind, path, volume.image)
    return Drive(
        disk=disk,
        path=path,
        source_path=source_path,
        volume=volume,
        kind=kind,
        bus=bus,
        bus_why=bus_why,
        cache=cache,
        cache_why=cache_why,
        read_only=read_only,
        read_only_why=read_only_why,
    )


def _answered_by_qemu(disk: Disk, volume: VolumeBinding | None) -> bool:
    """A LUN on a file. One that asks for reservations is refused instead: they mean something to a device alone."""
    return disk.lun is not None and not disk.lun.reservation and volume is not None and not volume.image.block_device


def _volume(ctx: Context, disk: Disk, path: str) -> tuple[VolumeBinding | None, str]:
    for index, volume in enumerate(ctx.spec.volumes):
        if volume.name == disk.name:
            source = f"volumes[{index}]"
            bound = ctx.bindings.volumes.get(disk.name)
            if bound is None:
                text = f'volume "{disk.name}" has not been resolved on this host'
                raise HostError(text, reason="InvalidBindings", field=source)
            return bound, f"{source}.{bound.source}"
    if disk.cdrom is not None:
        return None, path
    raise invalid(f"{path}.name", f'there is no volume "{disk.name}"', hint="every disk needs a volume of its name")


def _bus(disk: Disk, kind: Kind, path: str) -> tuple[str, Reason]:
    target = disk.cdrom or disk.lun or disk.disk
    field = f"{path}.{kind}.bus"
    known = {"disk": DISK_BUSES, "lun": LUN_BUSES, "cdrom": CDROM_BUSES}[kind]
    bus = bus_of(disk)
    if bus not in known:
        text = f'bus "{bus}" is not supported for a {kind}'
        raise invalid(field, text, reason="FieldValueNotSupported", hint="one of " + ", ".join(known))
    if target is None or not target.bus:
        return bus, default("KubeVirt's bus for disks that name none", field)
    if bus != target.bus:
        return bus, default("LUNs are on the SCSI controller; sata is KubeVirt's bus for all disks", field)
    return bus, manifest(field, f"a {kind} on bus {bus}")


def _cache(disk: Disk, path: str, volume: VolumeBinding) -> tuple[CacheMode, Reason]:
    field, direct = f"{path}.cache", _direct_io(volume.image)
    if disk.shareable and disk.cache not in ("", "none"):
        raise invalid(field, f"a sharable disk requires cache = none got: {disk.cache}")
    if disk.cache == "none" or (disk.shareable and not disk.cdrom):
        if not direct:
            hint = "use writethrough or writeback, or leave it out"
            raise invalid(field, 'cache "none" needs O_DIRECT, which this volume\'s file system lacks', hint=hint)
        if disk.cache:
            return "none", manifest(field, "cache mode none")
        return "none", manifest(f"{path}.shareable", "a cache would hide what other machines write")
    if not disk.cache:
        return _automatic_cache(volume, direct, disk.io, field)
    return _given_cache(disk.cache, field)


def _automatic_cache(volume: VolumeBinding, direct: bool, io: str, field: str) -> tuple[CacheMode, Reason]:
    if volume.source == METRICS and io != "native":
        return "writethrough", default("the host writes into it while the guest reads", field)
    if direct:
        return "none", host("the file system has O_DIRECT, so nothing is cached twice", field)
    return "writethrough", host("the file system has no O_DIRECT", field)


def _given_cache(mode: str, field: str) -> tuple[CacheMode, Reason]:
    match mode:
        case "writethrough":
            return "writethrough", manifest(field, "cache mode writethrough")
        case "writeback":
            return "writeback", manifest(field, "cache mode writeback")
    raise invalid(field, f'cache mode "{mode}" is unknown', hint="one of " + ", ".join(CACHES))


def _empty_cache(disk: Disk, path: str) -> tuple[CacheMode, Reason]:
    field = f"{path}.cache"
    if disk.cache in ("", "none"):
        return "none", default("there is no medium to be cached", field)
    return _given_cache(disk.cache, field)


def _direct_io(image: DiskImage) -> bool:
    return image.direct_io and (image.backing is None or _direct_io(image.backing))


def _read_only(disk: Disk, path: str, volume: VolumeBinding, bus: str, source: str) -> tuple[bool, Reason]:
    if disk.cdrom is not None:
        return True, manifest(f"{path}.cdrom", "a CD-ROM is never written")
    sata, target = bus == "sata", "lun" if disk.lun is not None else "disk"
    asked = disk.lun.readonly if disk.lun is not None else disk.disk.readonly if disk.disk is not None else None
    if asked:
        if sata:
            hint = "use bus virtio or scsi, or cdrom"
            raise invalid(f"{path}.disk.readonly", "a SATA disk cannot be read-only", hint=hint)
        return True, manifest(f"{path}.{target}.readonly", "the guest may not write to it")
    if volume.source == METRICS and not sata:
        return True, needs("the host alone writes metrics")
    if not volume.image.read_only:
        return False, default("the guest may write to it", f"{path}.{target}.readonly")
    if not sata:
        return True, manifest(source, "the volume is read-only")
    if volume.source in _OWN:
        return False, needs("a SATA disk must be writable; the image is this VM's own and made anew at each start")
    hint = "use bus virtio or scsi, or cdrom"
    raise invalid(f"{path}.disk.bus", "the volume is read-only, and a SATA disk cannot be", hint=hint)


def _check(disk: Disk, kind: Kind, path: str, image: DiskImage) -> None:
    """What the image must be for what is asked of it."""
    if kind == "lun" and not image.block_device:
        text = f"reservations are made at a device of the host, but {image.path} is a file"
        raise invalid(f"{path}.lun.reservation", text, hint="leave it out, or use a hostDisk below /dev")
    if disk.shareable and kind == "disk" and image.format != "raw":
        text = f"a {image.format} image cannot be written by two machines at once"
        raise invalid(f"{path}.shareable", text, hint="use a raw hostDisk")
    if disk.dedicated_io_thread and bus_of(disk) != "virtio":
        text = f"IOThreads are not supported for disks on a {bus_of(disk)} bus"
        raise invalid(f"{path}.dedicatedIOThread", text, reason="FieldValueNotSupported")
