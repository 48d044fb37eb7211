"""Volumes that are marked hotpluggable with their disks, and media of CD-ROM drives.

KubeVirt's DeclarativeHotplugVolumes (pkg/storage/hotplug, pkg/storage/admitters/storagehotplug.go): claims and
DataVolumes come and go with disks on virtio or SCSI; drives stay, their media change. Beyond it, a medium of any kind
can be taken out. What sits on a filesystem device is not of this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from solovirt.api.kubevirt.defaulting.storage import DISK_BUS
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.kit.json import clone

DISK_BUSES = ("scsi", "virtio")


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


class Pair(NamedTuple):
    """A disk and the volume of its name; either may be missing."""

    disk: Disk | None
    volume: Volume | None


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    new, old = _pairs(wanted), _pairs(merged)
    shared = {one.name for spec in (wanted, merged) for one in spec.domain.devices.filesystems}
    frozen = merged.domain.devices.disable_hotplug is True
    followed = {
        name: _followed(old.get(name, Pair(None, None)), new.get(name, Pair(None, None)), frozen)
        if name not in shared
        else old.get(name, Pair(None, None))
        for name in (*old, *(name for name in new if name not in old))
    }
    volumes = [clone(pair.volume) for pair in followed.values() if pair.volume is not None]
    disks = [clone(pair.disk) for pair in followed.values() if pair.disk is not None]
    merged.volumes = in_order(volumes, merged.volumes, wanted.volumes)
    devices = merged.domain.devices
    devices.disks = in_order(disks, devices.disks, wanted.domain.devices.disks)


def is_hotpluggable(volume: Volume) -> bool:
    """Whether it may come and go while the machine runs."""
    claim, data = volume.persistent_volume_claim, volume.data_volume
    return bool((claim is not None and claim.hotpluggable) or (data is not None and data.hotpluggable))


def claim_name(volume: Volume) -> str:
    """The claim that the volume itself is on; "" for other sources."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return volume.data_volume.name if volume.data_volume is not None else ""


def plug_problem(disk: Disk) -> str:
    """Why a disk cannot be added to a running machine, in KubeVirt's words (to stand after "AddVolume request"); ""
    when it can."""
    if disk.disk is not None:
        bus = disk.disk.bus or DISK_BUS
        if bus not in DISK_BUSES:
            return f"for disk [{disk.name}] requires bus to be 'scsi' or 'virtio'. [{bus}] is not permitted."
    elif disk.lun is not None:
        bus = disk.lun.bus or DISK_BUS
        if bus != "scsi":
            return f"for LUN [{disk.name}] requires bus to be 'scsi'. [{bus}] is not permitted."
    else:
        return f"for [{disk.name}] requires diskDevice of type 'disk' or 'lun' to be used."
    if disk.dedicated_io_thread and bus != "virtio":
        return f"for [{disk.name}] requires virtio bus for IOThreads."
    return ""


def in_order(items: Sequence[N], before: Sequence[N], wanted: Sequence[N]) -> list[N]:
    """``items`` in the wanted order, as long as that moves nothing that was there before."""
    places = {one.name: place for place, one in enumerate(wanted)}
    names = {one.name for one in before}
    old = [places[one.name] for one in before if one.name in places]
    if old != sorted(old):
        return list(items)
    last, keyed = -1, []
    for one in sorted(items, key=lambda item: item.name not in names):
        last = places.get(one.name, last)
        keyed.append((last, one))
    return [one for _, one in sorted(keyed, key=lambda pair: pair[0])]


def _pairs(spec: VirtualMachineInstanceSpec) -> dict[str, Pair]:
    disks = {disk.name: disk for disk in spec.domain.devices.disks}
    volumes = {volume.name: volume for volume in spec.volumes}
    names = [*volumes, *(name for name in disks if name not in volumes)]
    return {name: Pair(disks.get(name), volumes.get(name)) for name in names}


def _followed(old: Pair, new: Pair, frozen: bool) -> Pair:
    """What the running machine can become: ``new``, a part of it, or ``old`` still."""
    if old.disk is not None and old.disk.cdrom is not None:
        return _drive(old, new)
    if frozen or (old.disk is None and old.volume is not None):
        return old
    if old.disk is None:
        return new if _can_be_plugged(new) else old
    gone = new.disk is None and new.volume is None
    if not _can_be_plugged(old) or not (gone or _can_be_plugged(new)):
        return old
    if old.volume is None or new.volume is None:
        return new
    # Another claim, bus or kind makes another disk of it, in the place of the first; else it stays as it is.
    same = claim_name(new.volume) == claim_name(old.volume) and _seat(new.disk) == _seat(old.disk)
    return old if same and new.disk != old.disk else new


def _drive(old: Pair, new: Pair) -> Pair:
    """A CD-ROM drive: its medium and its tray."""
    assert old.disk is not None and old.disk.cdrom is not None
    if new.disk is None or new.disk.cdrom is None:
        return old
    disk = clone(old.disk)
    assert disk.cdrom is not None
    disk.cdrom.tray = new.disk.cdrom.tray
    volume = old.volume
    if new.volume is None or is_hotpluggable(new.volume):
        volume = new.volume
    return Pair(disk, volume)


def _seat(disk: Disk | None) -> tuple[bool, str]:
    """Whether it is a LUN, and its bus."""
    target = (disk.lun or disk.disk) if disk is not None else None
    return disk is not None and disk.lun is not None, target.bus if target is not None else ""


def _can_be_plugged(pair: Pair) -> bool:
    """Also what KubeVirt does not look at: threads and helpers that only a start makes."""
    disk, volume = pair
    if disk is None or volume is None or not is_hotpluggable(volume) or plug_problem(disk):
        return False
    return not disk.dedicated_io_thread and not (disk.lun is not None and disk.lun.reservation)
