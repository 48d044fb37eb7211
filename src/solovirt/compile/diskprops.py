"""Keys of a disk's device that do not depend on where it sits: its serial number, block sizes, what errors mean."""

from __future__ import annotations

from solovirt.compile.drives import Drive
from solovirt.compile.options import Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.kit.errors import HostError

_POLICIES = {
    "stop": ("stop", "stop"),
    "ignore": ("ignore", "ignore"),
    "report": ("report", "report"),
    "enospace": ("enospc", ""),
}
"""werror and rerror, as libvirt has them: only a write can run out of space, reads keep QEMU's own default."""
_SECTOR = 512


def identity(drive: Drive) -> list[Prop]:
    """A LUN has the serial number of its device, whatever the manifest says, as in KubeVirt."""
    if not drive.disk.serial or drive.kind == "lun":
        return []
    return [Prop("serial", drive.disk.serial, manifest(f"{drive.path}.serial", "serial number of the disk"))]


def sharing(drive: Drive) -> list[Prop]:
    if not drive.shared:
        return []
    return [Prop("share-rw", True, manifest(f"{drive.path}.shareable", "other machines may write to it, too"))]


def block_sizes(drive: Drive) -> list[Prop]:
    """What ``blockSize`` asks for. Raises ``Invalid``, or ``HostError`` where the host did not say its sizes."""
    given, path = drive.disk.block_size, f"{drive.path}.blockSize"
    if given is None or drive.kind == "lun":
        return []
    if given.custom is not None:
        custom = given.custom
        why = manifest(f"{path}.custom", "block sizes that the guest sees")
        props = [
            Prop("logical_block_size", custom.logical or _SECTOR, why),
            Prop("physical_block_size", custom.physical or _SECTOR, why),
        ]
        if custom.discard_granularity is not None:
            props.append(Prop("discard_granularity", custom.discard_granularity, why))
        _check_sata(drive, custom.logical or _SECTOR, f"{path}.custom.logical")
        return props
    matched = given.match_volume
    if matched is None or matched.enabled is False:
        return []
    return _matching(drive, f"{path}.matchVolume")


def _matching(drive: Drive, path: str) -> list[Prop]:
    if drive.volume is None:
        raise invalid(path, "a drive without a medium has no block sizes to match")
    sizes = drive.volume.image.blocks
    if sizes is None:
        text = f"the block sizes of {drive.volume.image.path} have not been resolved on this host"
        raise HostError(text, reason="InvalidBindings", field=path)
    _check_sata(drive, sizes.logical, path)
    why = host("as the host's device or file system has them", path)
    discard = Prop("discard_granularity", sizes.discard, why)
    if drive.bus == "sata":
        discard = Prop("discard_granularity", _SECTOR, needs("ATA trims single sectors"))
    return [
        Prop("logical_block_size", sizes.logical, why),
        Prop("physical_block_size", sizes.physical, why),
        discard,
    ]


def _check_sata(drive: Drive, logical: int, path: str) -> None:
    if drive.bus == "sata" and logical != _SECTOR:
        text = f"Logical size {logical} must be {_SECTOR} for SATA devices"
        raise invalid(path, text, hint="use bus virtio or scsi")


def behaviour(drive: Drive) -> list[Prop]:
    """What a flush and an error mean. A guest whose disk fails is paused: it can go on when there is room again."""
    path = f"{drive.path}.errorPolicy"
    policy = drive.disk.error_policy
    if policy and policy not in _POLICIES:
        raise invalid(path, f'errorPolicy "{policy}" is unknown', hint="one of " + ", ".join(_POLICIES))
    text = "the guest pauses when the host's storage fails or is full, and can be resumed"
    why = manifest(path, f"on errors: {policy}") if policy else default(text)
    write, read = _POLICIES[policy or "stop"]
    props = [Prop("werror", write, why)]
    if read:
        props.append(Prop("rerror", read, why))
    if drive.kind == "lun":
        return props
    return [Prop("write-cache", "off" if drive.cache == "writethrough" else "on", drive.cache_why), *props]
