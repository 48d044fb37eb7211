"""-blockdev and -device for disks, LUNs and CD-ROMs.

``nodes``, ``adapter`` and ``device`` are also what a hotplug sends as ``blockdev-add`` and ``device_add``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from solovirt.compile import blockdev, boot, diskprops, drives, iothreads, virtio
from solovirt.compile.configurators import topology
from solovirt.compile.context import Context, device_id
from solovirt.compile.drives import Drive
from solovirt.compile.layout import Endpoint, Place, Pool
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import manifest, needs
from solovirt.kit.errors import HostError

_DRIVERS = {
    ("sata", "disk"): "ide-hd",
    ("sata", "cdrom"): "ide-cd",
    ("scsi", "disk"): "scsi-hd",
    ("scsi", "cdrom"): "scsi-cd",
    ("scsi", "lun"): "scsi-block",
    ("usb", "disk"): "usb-storage",
    ("usb", "cdrom"): "scsi-cd",
}
_POOLS: dict[str, Pool] = {"sata": "sata", "scsi": "scsi", "usb": "usb"}
_PR_HELPER = "qemu-pr-helper"


def reservations(ctx: Context) -> Iterator[Option]:
    """The object through which LUNs make SCSI reservations. Raises ``HostError`` where the helper is missing."""
    for index, disk in enumerate(ctx.devices.disks):
        if disk.lun is None or not disk.lun.reservation:
            continue
        path = f"{drives.disk_path(index)}.lun.reservation"
        socket = ctx.bindings.sockets.reservations
        if _PR_HELPER not in ctx.facts.helpers or not socket:
            text = f"SCSI reservations need {_PR_HELPER}, which is not here"
            hint = "apt install qemu-system-common; systemctl start qemu-pr-helper.socket"
            raise HostError(text, reason="MissingTool", field=path, hint=hint)
        why = manifest(path, "reservations need rights that QEMU does not have: a helper makes them")
        props = (
            Prop("qom-type", "pr-manager-helper", why),
            Prop("id", blockdev.RESERVATIONS, needs("LUNs name it")),
            Prop("path", socket, needs("where the helper listens")),
        )
        yield Option("-object", JsonValue(props), why)
        return


def options(ctx: Context) -> Iterator[Option]:
    parts = [partial(_options, ctx, index) for index in range(len(ctx.devices.disks))]
    yield from gather([partial(_unused_volumes, ctx), *parts])


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    fixed = ctx.devices.disable_hotplug is True
    for index, disk in enumerate(ctx.devices.disks):
        bus = drives.bus_of(disk)
        pool = virtio.pool(ctx) if bus == "virtio" else _POOLS.get(bus)
        if pool:
            address = disk.disk.pci_address if disk.disk else ""
            yield Endpoint(device_id(disk.name), pool, field=drives.disk_path(index), address=address, fixed=fixed)


def buses(ctx: Context) -> list[str]:
    return [drives.bus_of(disk) for disk in ctx.devices.disks]


def nodes(drive: Drive) -> list[JsonValue]:
    """The block nodes of a drive, in the order in which they must be added; none for an empty CD-ROM drive."""
    return blockdev.chain(drive)


def adapter(drive: Drive, place: Place) -> JsonValue | None:
    """What a USB CD-ROM drive sits on, and a hotplug adds before ``device``."""
    if not (drive.bus == "usb" and drive.cdrom):
        return None
    why = needs("a CD-ROM drive on USB is a SCSI drive behind an adapter")
    name = Prop("id", _adapter_id(drive), needs("the drive names it"))
    return JsonValue((Prop("driver", "usb-bot", why), *place.props(), name))


def device(ctx: Context, drive: Drive, place: Place) -> JsonValue:
    """The device that shows ``nodes(drive)`` to the guest at ``place``."""
    index = ctx.devices.disks.index(drive.disk)
    return JsonValue(
        (
            _driver(ctx, drive),
            *_where(drive, place),
            *_medium(drive),
            Prop("id", drive.device, needs("ua- and the manifest's name", f"{drive.path}.name")),
            *boot.disk_index(ctx, drive.disk, drive.path),
            *diskprops.identity(drive),
            *_queues(ctx, drive, index),
            *diskprops.sharing(drive),
            *diskprops.block_sizes(drive),
            *diskprops.behaviour(drive),
        )
    )


def _driver(ctx: Context, drive: Drive) -> Prop:
    if drive.bus == "virtio":
        return virtio.driver(ctx, "virtio-blk", drive.bus_why)
    return Prop("driver", _DRIVERS[drive.bus, drive.kind], drive.bus_why)


def _where(drive: Drive, place: Place) -> tuple[Prop, ...]:
    if adapter(drive, place) is None:
        return place.props()
    return (Prop("bus", f"{_adapter_id(drive)}.0", needs("its adapter")),)


def _adapter_id(drive: Drive) -> str:
    return f"{drive.device}-usb"


def _queues(ctx: Context, drive: Drive, index: int) -> list[Prop]:
    if drive.bus != "virtio":
        return []
    props = iothreads.assignment(ctx, index)
    if ctx.devices.block_multi_queue:
        why = manifest("domain.devices.blockMultiQueue", "one queue for each vCPU")
        props.append(Prop("num-queues", topology.resolve(ctx).vcpus, why))
    return props


def _options(ctx: Context, index: int) -> Iterator[Option]:
    drive = drives.resolve(ctx, index)
    place = ctx.layout.place(drive.device)
    for described in nodes(drive):
        yield Option("-blockdev", described, manifest(drive.source_path, f"volume of disk {drive.disk.name}"))
    kind = {"disk": "disk", "lun": "LUN", "cdrom": "CD-ROM"}[drive.kind]
    why = manifest(drive.path, f"the {kind} {drive.disk.name}")
    below = adapter(drive, place)
    if below is not None:
        yield Option("-device", below, why)
    yield Option("-device", device(ctx, drive, place), why)


def _unused_volumes(ctx: Context) -> Iterator[Option]:
    used = {disk.name for disk in ctx.devices.disks} | {shared.name for shared in ctx.devices.filesystems}
    for index, volume in enumerate(ctx.spec.volumes):
        if volume.name not in used and volume.memory_dump is None:
            raise invalid(
                f"volumes[{index}].name", f'no disk uses volume "{volume.name}"', hint="add a disk of its name"
            )
    yield from ()


def _medium(drive: Drive) -> list[Prop]:
    cdrom = drive.disk.cdrom
    match cdrom.tray if cdrom else "":
        case "" | "closed" if drive.volume is not None:
            return [Prop("drive", blockdev.node_name(drive.disk.name), needs("the top node of its chain"))]
        case "" | "closed" | "open":
            return []
        case other:
            raise invalid(f"{drive.path}.cdrom.tray", f'tray "{other}" is unknown', hint="open or closed")
