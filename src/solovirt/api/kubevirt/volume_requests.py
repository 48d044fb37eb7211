"""addvolume and removevolume, and media of drives: what a request asks for, and what it makes of a VMI spec. Pure.

Source: kubevirt pkg/virt-api/rest/volumes.go (the refusals, word for word), pkg/controller
``ApplyVolumeRequestOnVMISpec``.
"""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.live.storage import claim_name, is_hotpluggable, plug_problem
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import ClaimSource, DataVolumeSource, Volume
from solovirt.api.meta import Model
from solovirt.kit.errors import BadRequest, Cause, Invalid
from solovirt.kit.json import clone


class HotplugVolumeSource(Model):
    """One of the two."""

    persistent_volume_claim: ClaimSource | None = None
    data_volume: DataVolumeSource | None = None

    def name(self) -> str:
        """Of the claim."""
        if self.data_volume is not None:
            return self.data_volume.name
        return self.persistent_volume_claim.claim_name if self.persistent_volume_claim is not None else ""

    def volume(self, name: str) -> Volume:
        """As a volume that may come and go."""
        claim, data = clone(self.persistent_volume_claim), clone(self.data_volume)
        if data is not None:
            data.hotpluggable = True
            return Volume(name=name, data_volume=data)
        if claim is not None:
            claim.hotpluggable = True
        return Volume(name=name, persistent_volume_claim=claim)


class AddVolumeOptions(Model):
    kind: str = ""
    api_version: str = ""
    name: str = ""
    disk: Disk | None = None
    volume_source: HotplugVolumeSource | None = None
    dry_run: list[str] = msgspec.field(default_factory=list)


class RemoveVolumeOptions(Model):
    """``volume_source`` is not looked at, as in KubeVirt: the name says which."""

    kind: str = ""
    api_version: str = ""
    name: str = ""
    volume_source: HotplugVolumeSource | None = None
    dry_run: list[str] = msgspec.field(default_factory=list)


class MediumOptions(Model):
    """Ours: ``disk`` names a CD-ROM drive; without a source the drive becomes empty."""

    disk: str = ""
    volume_source: HotplugVolumeSource | None = None
    dry_run: list[str] = msgspec.field(default_factory=list)


class Refused(Exception):
    """The request does not fit what is there."""


def check_add(options: AddVolumeOptions) -> tuple[Disk, HotplugVolumeSource]:
    """What is to be added. Raises BadRequest for what is missing, Invalid for a disk that cannot be plugged."""
    if not options.name:
        raise BadRequest("AddVolumeOptions requires name to be set")
    if options.disk is None:
        raise BadRequest("AddVolumeOptions requires disk to not be nil")
    if options.volume_source is None:
        raise BadRequest("AddVolumeOptions requires VolumeSource to not be nil")
    check_source(options.volume_source)
    disk = clone(options.disk)
    disk.name = options.name
    if problem := plug_problem(disk):
        text = f"AddVolume request {problem}"
        raise Invalid(text, field="disk", causes=[Cause("FieldValueInvalid", text, "disk")])
    return disk, options.volume_source


def check_source(source: HotplugVolumeSource) -> None:
    if (source.data_volume is None) == (source.persistent_volume_claim is None) or not source.name():
        text = "volumeSource must have exactly one source type set: persistentVolumeClaim or dataVolume"
        raise BadRequest(text, field="volumeSource")


def add(spec: VirtualMachineInstanceSpec, disk: Disk, source: HotplugVolumeSource) -> None:
    """Raises :class:`Refused`."""
    for volume in spec.volumes:
        if volume.name == disk.name:
            raise Refused(f"Unable to add volume [{disk.name}] because volume with that name already exists")
        if claim_name(volume) == source.name():
            raise Refused(f"Unable to add volume source [{source.name()}] because it already exists")
    spec.volumes.append(source.volume(disk.name))
    spec.domain.devices.disks.append(clone(disk))


def remove(spec: VirtualMachineInstanceSpec, name: str) -> None:
    """By the volume's name, or that of its claim. Raises :class:`Refused`."""
    found = next((volume for volume in spec.volumes if name in (volume.name, claim_name(volume))), None)
    if found is None:
        raise Refused(f"Unable to remove volume [{name}] because it does not exist")
    if not is_hotpluggable(found):
        raise Refused(f"Unable to remove volume [{found.name}] because it is not hotpluggable")
    spec.volumes.remove(found)
    devices = spec.domain.devices
    # A drive stays, and is empty then.
    devices.disks = [disk for disk in devices.disks if disk.name != found.name or disk.cdrom is not None]


def change_medium(spec: VirtualMachineInstanceSpec, drive: str, source: HotplugVolumeSource | None) -> None:
    """Another medium, or none, in a CD-ROM drive. Raises :class:`Refused`."""
    if not any(disk.name == drive and disk.cdrom is not None for disk in spec.domain.devices.disks):
        raise Refused(f"Unable to change the medium of [{drive}] because there is no CD-ROM drive of that name")
    place = next((index for index, volume in enumerate(spec.volumes) if volume.name == drive), None)
    if source is None:
        if place is None:
            raise Refused(f"Unable to eject [{drive}] because the drive is empty")
        del spec.volumes[place]
        return
    used = [v.name for v in spec.volumes if v.name != drive and claim_name(v) == source.name()]
    if used:
        raise Refused(f"Unable to add volume source [{source.name()}] because it already exists")
    if place is None:
        spec.volumes.append(source.volume(drive))
    else:
        spec.volumes[place] = source.volume(drive)
