"""Filesystems with their volumes, and the watchdog.

Whether the machine can have them (memory that can be shared, a bridge) is asked when they are plugged in
(``controllers.vmi.live.devices``).
"""

from __future__ import annotations

from solovirt.api.kubevirt.live.order import arrange
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.kit.json import clone


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    _watchdog(wanted, merged)
    if merged.domain.devices.disable_hotplug is not True:
        _filesystems(wanted, merged)


def _watchdog(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    """The action may always change."""
    new, devices = wanted.domain.devices.watchdog, merged.domain.devices
    old = devices.watchdog
    if new == old:
        return
    another = new is None or old is None or new.name != old.name
    if another and devices.disable_hotplug is True:
        return
    if new is not None and new.i6300esb is None:
        return
    devices.watchdog = clone(new)


def _filesystems(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    """With their volumes."""
    devices = merged.domain.devices
    given = {one.name: one for one in wanted.domain.devices.filesystems}
    sources = {volume.name: volume for volume in wanted.volumes}
    known = {volume.name: volume for volume in merged.volumes}
    gone = {one.name for one in devices.filesystems if one.name not in given}
    used = {disk.name for disk in devices.disks}
    leaving = {name for name in gone if name not in sources and name not in used}
    added = {
        name for name in given if name in sources and name not in known and name not in used and not _has(merged, name)
    }
    if not gone and not added:
        return
    devices.filesystems = arrange(
        [one for one in devices.filesystems if one.name not in gone]
        + [clone(one) for name, one in given.items() if name in added],
        given,
    )
    merged.volumes = arrange(
        [volume for volume in merged.volumes if volume.name not in leaving]
        + [clone(volume) for name, volume in sources.items() if name in added],
        sources,
    )


def _has(spec: VirtualMachineInstanceSpec, name: str) -> bool:
    return any(one.name == name for one in spec.domain.devices.filesystems)
