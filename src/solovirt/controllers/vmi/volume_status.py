"""status.volumeStatus of a VMI that runs: which disk each volume is to the guest, how large, and how those are that
come and go. Pure.

Phases, reasons and messages: kubevirt pkg/virt-handler/vm.go, pkg/virt-controller/watch/vmi/storage.go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.live.storage import claim_name, is_hotpluggable
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import (
    ClaimInfo,
    HotplugVolumeStatus,
    VirtualMachineInstance,
    VolumeStatus,
)
from solovirt.host.volumes.claims import is_thick
from solovirt.kit.json import clone

PENDING, BOUND, ATTACHED, MOUNTED, READY = "Pending", "Bound", "AttachedToNode", "MountedToPod", "Ready"
DETACHING, UNMOUNTED = "Detaching", "UnMountedFromPod"


def ready(name: str) -> VolumeStatus:
    """A volume that the guest can use."""
    return VolumeStatus(
        name=name, phase=READY, reason="VolumeReady", message=f"Successfully attach hotplugged volume {name} to VM"
    )


def volumes(
    vmi: VirtualMachineInstance,
    sizes: Mapping[str, int],
    live: Mapping[str, VolumeStatus],
    claims: Mapping[str, ClaimInfo] | None = None,
) -> list[VolumeStatus]:
    """Each volume with the name that a Linux guest is likely to give its disk, and its size in bytes; then those that
    are on their way out. ``sizes`` are of those that the machine has, ``live`` is what is known of single ones."""
    before = {found.name: found for found in vmi.status.volume_status}
    targets = _targets(vmi, before, sizes)
    named = {volume.name for volume in vmi.spec.volumes}
    shown = [
        _described(volume, live.get(volume.name), targets.get(volume.name), sizes, claims or {})
        for volume in vmi.spec.volumes
    ]
    leaving = {name: VolumeStatus(name=name, phase=DETACHING) for name in before if name in sizes} | dict(live)
    return shown + [_leaving(found, before.get(name)) for name, found in leaving.items() if name not in named]


def claim_info(claim: PersistentVolumeClaim) -> ClaimInfo:
    return ClaimInfo(
        claim_name=claim.metadata.name,
        access_modes=list(claim.spec.access_modes),
        volume_mode=claim.spec.volume_mode,
        capacity=dict(claim.status.capacity),
        requests=dict(claim.spec.resources.requests),
        preallocated=is_thick(claim),
    )


def _described(
    volume: Volume,
    live: VolumeStatus | None,
    target: str | None,
    sizes: Mapping[str, int],
    claims: Mapping[str, ClaimInfo],
) -> VolumeStatus:
    """``target`` is None for a volume that no disk shows."""
    name, there = volume.name, volume.name in sizes
    found = clone(live) if live is not None else VolumeStatus(name=name)
    comes_and_goes = is_hotpluggable(volume) and target is not None
    if comes_and_goes:
        if live is None:
            found = ready(name) if there else VolumeStatus(name=name, phase=PENDING)
        found.hotplug_volume = HotplugVolumeStatus()
    if there or not comes_and_goes:
        found.target = found.target or target or ""
    found.size = found.size or sizes.get(name, 0)
    found.persistent_volume_claim_info = claims.get(claim_name(volume))
    return found


def _leaving(live: VolumeStatus, before: VolumeStatus | None) -> VolumeStatus:
    """One that the spec has no more, and the machine still has."""
    found = clone(live)
    found.hotplug_volume = HotplugVolumeStatus()
    if before is not None:
        found.target, found.size = before.target, before.size
        found.persistent_volume_claim_info = before.persistent_volume_claim_info
    return found


def _targets(vmi: VirtualMachineInstance, before: Mapping[str, VolumeStatus], sizes: Collection[str]) -> dict[str, str]:
    """A disk keeps its name while it is there; one that comes later gets the first that is free, as in the guest."""
    disks = vmi.spec.domain.devices.disks
    kept = {name: found.target for name, found in before.items() if found.target}
    if not kept:
        coming = {volume.name for volume in vmi.spec.volumes if is_hotpluggable(volume) and volume.name not in sizes}
        late = coming & {disk.name for disk in disks}
        return dict.fromkeys(late, "") | disk_targets([disk for disk in disks if disk.name not in late])
    named = {disk.name: kept[disk.name] for disk in disks if disk.name in kept}
    taken = set(kept.values())
    for disk in disks:
        if disk.name not in named:
            named[disk.name] = _first_free(_prefix(disk), taken)
            taken.add(named[disk.name])
    return named


def disk_targets(disks: Sequence[Disk]) -> dict[str, str]:
    """``vda`` for the first virtio disk, ``sda`` for the first of any other bus, as libvirt names them."""
    found: dict[str, str] = {}
    for disk in disks:
        found[disk.name] = _first_free(_prefix(disk), found.values())
    return found


def _prefix(disk: Disk) -> str:
    target = disk.disk or disk.cdrom
    return "vd" if target is not None and target.bus == "virtio" else "sd"


def _first_free(prefix: str, taken: Iterable[str]) -> str:
    used, number = set(taken), 0
    while (name := prefix + _letters(number)) in used:
        number += 1
    return name


def _letters(number: int) -> str:
    """a, b, ... z, aa, ab, ..."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
