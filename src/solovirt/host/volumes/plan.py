"""The bindings that ``prepare`` would give, without touching disk, network or other objects: for ``explain``. Pure.

What cannot be known that way is assumed, and ``note`` says so.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host.model.bindings import BlockSizes, DiskImage, KernelBinding, VolumeBinding
from solovirt.host.volumes import metrics, overlay, qemu_img
from solovirt.host.volumes.claims import FORMAT, Claims
from solovirt.host.volumes.shown import shown_as_disk
from solovirt.kit import quantity
from solovirt.kit.errors import Invalid
from solovirt.kit.paths import Paths

_ASSUMED = "assumed without looking"
_BLOCK = 4096


def plan(vmi: VirtualMachineInstance, paths: Paths) -> dict[str, VolumeBinding]:
    """A binding for every volume, by name. Raises ``Invalid`` for names and sources that ``prepare`` refuses, too."""
    instance = paths.instance(vmi.metadata.uid or vmi.metadata.name or "vmi")
    return {
        volume.name: _shared(vmi, _assumed(vmi, _volume(vmi, volume, f"spec.volumes[{number}]", instance, paths)))
        for number, volume in enumerate(vmi.spec.volumes)
        if shown_as_disk(vmi, volume)
    }


def plan_kernel(vmi: VirtualMachineInstance, paths: Paths) -> KernelBinding | None:
    """Where kernel and initrd would be: named by their paths in the image, as their digests are not known."""
    firmware = vmi.spec.domain.firmware
    boot = firmware.kernel_boot.container if firmware is not None and firmware.kernel_boot is not None else None
    if boot is None:
        return None
    return KernelBinding(
        kernel=_blob(paths, boot.kernel_path) if boot.kernel_path else "",
        initrd=_blob(paths, boot.initrd_path) if boot.initrd_path else "",
    )


def _blob(paths: Paths, path: str) -> str:
    return str(paths.images / "blobs" / "sha256" / (os.path.basename(path) or "disk"))


def _volume(vmi: VirtualMachineInstance, volume: Volume, field: str, instance: Path, paths: Paths) -> VolumeBinding:
    sources = volume.sources()
    if len(sources) != 1:
        raise Invalid(f"{field}: must have exactly one source type set", field=field)
    if volume.container_disk is not None:
        source = volume.container_disk
        base = DiskImage(path=_blob(paths, source.path), format="qcow2", read_only=True, direct_io=True)
        path = overlay.overlay_path(instance, volume.name)
        image = DiskImage(path=str(path), format="qcow2", direct_io=True, backing=base)
        note = f"a fresh overlay of {source.image}; its format (qcow2) and O_DIRECT are {_ASSUMED}"
    elif volume.empty_disk is not None:
        path = overlay.overlay_path(instance, volume.name)
        size = _size(volume.empty_disk.capacity, f"{field}.emptyDisk.capacity")
        image = DiskImage(path=str(path), format="qcow2", direct_io=True, size=qemu_img.whole_sectors(size))
        note = f"a new empty disk that lives with the VMI; O_DIRECT is {_ASSUMED}"
    elif volume.persistent_volume_claim is not None:
        claim = volume.persistent_volume_claim
        image = _claim(vmi, claim.claim_name, bool(claim.read_only), paths)
        note = f"claim {claim.claim_name}; O_DIRECT is {_ASSUMED}"
    elif volume.ephemeral is not None:
        name = volume.ephemeral.persistent_volume_claim.claim_name
        path = overlay.overlay_path(instance, volume.name)
        base = _claim(vmi, name, True, paths)
        image = DiskImage(path=str(path), format="qcow2", direct_io=True, backing=base)
        note = f"a fresh overlay of claim {name}, which stays as it is; O_DIRECT is {_ASSUMED}"
    elif volume.downward_metrics is not None:
        path = overlay.metrics_path(instance, volume.name)
        image = DiskImage(path=str(path), format="raw", direct_io=True, size=metrics.SIZE)
        note = f"numbers of this host and this VM, in vhostmd's form; O_DIRECT is {_ASSUMED}"
    elif volume.data_volume is not None:
        image = _claim(vmi, volume.data_volume.name, False, paths)
        note = f"claim {volume.data_volume.name}; O_DIRECT is {_ASSUMED}"
    elif volume.host_disk is not None:
        block = volume.host_disk.path.startswith("/dev/")
        image = DiskImage(path=volume.host_disk.path, format="raw", block_device=block, direct_io=True)
        kind = "a block device" if block else "a file"
        note = f"{kind} of this host, always raw; its kind and O_DIRECT are {_ASSUMED}"
    else:
        image = DiskImage(path=str(overlay.seed_path(instance, volume.name)), format="raw", direct_io=True)
        note = f"an ISO 9660 image made for each start; O_DIRECT is {_ASSUMED}"
    return VolumeBinding(name=volume.name, source=sources[0], image=image, note=note)


def _assumed(vmi: VirtualMachineInstance, binding: VolumeBinding) -> VolumeBinding:
    """With the block sizes of the usual file system, where a disk is to have those of its volume."""
    matching = any(
        disk.name == binding.name and disk.block_size is not None and disk.block_size.match_volume is not None
        for disk in vmi.spec.domain.devices.disks
    )
    if not matching:
        return binding
    image = msgspec.structs.replace(binding.image, blocks=BlockSizes(_BLOCK, _BLOCK, _BLOCK))
    return msgspec.structs.replace(binding, image=image, note=f"{binding.note}; blocks of {_BLOCK} bytes too")


def _shared(vmi: VirtualMachineInstance, binding: VolumeBinding) -> VolumeBinding:
    """Raw, where several machines are to write to a claim: as KubeVirt's are, and as it must be. A start looks."""
    shareable = any(disk.name == binding.name and disk.shareable for disk in vmi.spec.domain.devices.disks)
    if not shareable or binding.source not in ("persistentVolumeClaim", "dataVolume"):
        return binding
    image = msgspec.structs.replace(binding.image, format="raw")
    note = f"{binding.note}; so is raw, as shareable needs it: a claim of {FORMAT} is refused at the start"
    return msgspec.structs.replace(binding, image=image, note=note)


def _claim(vmi: VirtualMachineInstance, name: str, read_only: bool, paths: Paths) -> DiskImage:
    path = Claims(paths.volumes).disk(vmi.metadata.namespace or "default", name)
    return DiskImage(path=str(path), format=FORMAT, read_only=read_only, direct_io=True)


def _size(capacity: str | int | float, field: str) -> int:
    try:
        return quantity.to_bytes(capacity)
    except ValueError as error:
        raise Invalid(f"{field}: {error}", field=field) from error
