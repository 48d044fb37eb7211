"""-blockdev and -device for disks and CD-ROMs.

``nodes`` and ``device`` are also what a hotplug sends as ``blockdev-add`` and ``device_add``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from solovirt.compile import blockdev, boot, drives
from solovirt.compile.configurators import topology
from solovirt.compile.context import Context, device_id
from solovirt.compile.drives import Drive
from solovirt.compile.layout import Endpoint, Place, Pool
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import default, manifest, needs

_DRIVERS = {
    ("virtio", False): "virtio-blk-pci-non-transitional",
    ("sata", False): "ide-hd",
    ("sata", True): "ide-cd",
    ("scsi", False): "scsi-hd",
    ("scsi", True): "scsi-cd",
    ("usb", False): "usb-storage",
}
_POOLS: dict[str, Pool] = {"virtio": "pci", "sata": "sata", "scsi": "scsi", "usb": "usb"}


def options(ctx: Context) -> Iterator[Option]:
    parts = [partial(_options, ctx, index) for index in range(len(ctx.devices.disks))]
    yield from gather([partial(_unused_volumes, ctx), *parts])


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for index, disk in enumerate(ctx.devices.disks):
        pool = _POOLS.get(drives.bus_of(disk))
        if pool:
            address = disk.disk.pci_address if disk.disk else ""
            yield Endpoint(device_id(disk.name), pool, field=drives.disk_path(index), address=address)


def buses(ctx: Context) -> list[str]:
    return [drives.bus_of(disk) for disk in ctx.devices.disks]


def nodes(drive: Drive) -> list[JsonValue]:
    """The block nodes of a drive, in the order in which they must be added."""
    return blockdev.chain(drive)


def device(ctx: Context, drive: Drive, place: Place) -> JsonValue:
    """The device that shows ``nodes(drive)`` to the guest at ``place``."""
    props = [
        Prop("driver", _DRIVERS[drive.bus, drive.cdrom], drive.bus_why),
        *place.props(),
        *_medium(drive),
        Prop("id", drive.device, needs("ua- and the manifest's name", f"{drive.path}.name")),
        *boot.disk_index(ctx, drive.disk, drive.path),
    ]
    if drive.disk.serial:
        props.append(Prop("serial", drive.disk.serial, manifest(f"{drive.path}.serial", "serial number of the disk")))
    if drive.bus == "virtio" and ctx.devices.block_multi_queue:
        why = manifest("domain.devices.blockMultiQueue", "one queue for each vCPU")
        props.append(Prop("num-queues", topology.resolve(ctx).vcpus, why))
    return JsonValue((*props, *_behaviour(drive)))


def _options(ctx: Context, index: int) -> Iterator[Option]:
    drive = drives.resolve(ctx, index)
    place = ctx.layout.place(drive.device)
    for described in nodes(drive):
        yield Option("-blockdev", described, manifest(drive.source_path, f"volume of disk {drive.disk.name}"))
    kind = "CD-ROM" if drive.cdrom else "disk"
    yield Option("-device", device(ctx, drive, place), manifest(drive.path, f"the {kind} {drive.disk.name}"))


def _unused_volumes(ctx: Context) -> Iterator[Option]:
    used = {disk.name for disk in ctx.devices.disks}
    for index, volume in enumerate(ctx.spec.volumes):
        if volume.name not in used:
            raise invalid(
                f"volumes[{index}].name", f'no disk uses volume "{volume.name}"', hint="add a disk of its name"
            )
    yield from ()


def _medium(drive: Drive) -> list[Prop]:
    cdrom = drive.disk.cdrom
    match cdrom.tray if cdrom else "":
        case "open":
            return []
        case "" | "closed":
            return [Prop("drive", blockdev.node_name(drive.disk.name), needs("the top node of its chain"))]
        case other:
            raise invalid(f"{drive.path}.cdrom.tray", f'tray "{other}" is unknown', hint="open or closed")


def _behaviour(drive: Drive) -> list[Prop]:
    """What a flush and an error mean. A guest whose disk fails is paused: it can go on when there is room again."""
    errors = default("the guest pauses when the host's storage fails or is full, and can be resumed")
    return [
        Prop("write-cache", "off" if drive.cache == "writethrough" else "on", drive.cache_why),
        Prop("werror", "stop", errors),
        Prop("rerror", "stop", errors),
    ]
