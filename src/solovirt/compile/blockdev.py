"""-blockdev: the chain of nodes under a disk, bottom first. Every format is explicit, every backing file is named here
and read-only; a backing file that an image's header names is never followed.

Source: QEMU qapi/block-core.json.
"""

from __future__ import annotations

import hashlib
import re

from solovirt.compile.drives import IO_MODES, Drive
from solovirt.compile.options import JsonValue, Prop, PropValue, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.bindings import DiskImage
from solovirt.kit.errors import HostError

FORMATS = ("raw", "qcow2")
RESERVATIONS = "pr-helper0"
"""The object that talks to qemu-pr-helper."""
_NAME_MAX = 20
"""Leaves room for "-12-storage" in QEMU's 31 characters of a node name."""


def node_name(volume: str, level: int = 0) -> str:
    """The node that a device, or the overlay above it, uses. The same for a volume's whole life: block jobs name it."""
    return f"{_stem(volume)}-{level}-format"


def storage_name(volume: str, level: int = 0) -> str:
    """The node of the file or device below :func:`node_name`."""
    return f"{_stem(volume)}-{level}-storage"


def chain_pattern(volume: str) -> re.Pattern[str]:
    """Matches the names of all nodes of a volume."""
    return re.compile(re.escape(_stem(volume)) + r"-([0-9]+)-(format|storage)")


def chain(drive: Drive) -> list[JsonValue]:
    """The nodes of a drive, each after those it refers to: what ``blockdev-add`` takes, one by one.

    Raises ``Invalid`` for an impossible ``io`` mode, ``HostError`` for an image of an unknown format.
    """
    nodes: list[JsonValue] = []
    images = _images(drive.volume.image) if drive.volume is not None else []
    for level in reversed(range(len(images))):
        nodes += _pair(drive, images[level], level)
    return nodes


def _images(top: DiskImage) -> list[DiskImage]:
    found = [top]
    while (below := found[-1].backing) is not None:
        found.append(below)
    return found


def _pair(drive: Drive, image: DiskImage, level: int) -> list[JsonValue]:
    """The storage node (a file or device) and the format node on it."""
    if image.format not in FORMATS:
        raise HostError(f'{image.path} has the unknown format "{image.format}"', reason="InvalidBindings")
    storage = storage_name(drive.disk.name, level)
    read_only, why = _access(drive, level)
    common = [
        Prop("read-only", read_only, why),
        Prop("cache", {"direct": drive.direct, "no-flush": False}, drive.cache_why),
    ]
    if not read_only and not image.thick:
        common.append(Prop("discard", "unmap", default("blocks that the guest trims are given back to the host")))
    driver = "host_device" if image.block_device else "file"
    kind = host("a block device" if image.block_device else "a file")
    bottom = [
        Prop("driver", driver, kind),
        Prop("filename", image.path, _where(drive, level)),
        Prop("node-name", storage, needs("name of the storage node")),
        *([] if level else _own(drive, image)),
        *common,
    ]
    top = [
        Prop("driver", image.format, host("the image's format, established before QEMU opens it")),
        Prop("node-name", node_name(drive.disk.name, level), needs("name of the format node")),
        *common,
        Prop("file", storage, needs("the storage node")),
    ]
    if image.format == "qcow2":
        top.append(_backing(drive, image, level))
    return [JsonValue(tuple(bottom)), JsonValue(tuple(top))]


def _access(drive: Drive, level: int) -> tuple[bool, Reason]:
    if level:
        return True, default("a backing image is shared and never written")
    return drive.read_only, drive.read_only_why


def _where(drive: Drive, level: int) -> Reason:
    """The file's reason: the volume's source, or for a lower level what the source's overlay lies on."""
    assert drive.volume is not None, "a drive without a medium has no nodes"
    note = f" ({drive.volume.note})" if drive.volume.note else ""
    if level:
        return manifest(drive.source_path, f"image under the overlay{note}")
    return manifest(drive.source_path, f"where {drive.volume.source} of volume {drive.disk.name} lies{note}")


def _backing(drive: Drive, image: DiskImage, level: int) -> Prop:
    below: PropValue = node_name(drive.disk.name, level + 1) if image.backing else None
    if below is None:
        return Prop("backing", None, default("no backing image, whatever the file's header says"))
    return Prop("backing", below, needs("the image under the overlay"))


def _own(drive: Drive, image: DiskImage) -> list[Prop]:
    """What only the topmost file or device gets."""
    props = _aio(drive, image)
    if drive.shared:
        props.append(Prop("locking", "off", manifest(f"{drive.path}.shareable", "others may have it open, too")))
    lun = drive.disk.lun
    if lun is not None and lun.reservation:
        why = manifest(f"{drive.path}.lun.reservation", "QEMU may not make SCSI reservations, the helper does")
        props.append(Prop("pr-manager", RESERVATIONS, why))
    return props


def _aio(drive: Drive, image: DiskImage) -> list[Prop]:
    """KubeVirt's choice: native without cache for block devices and files whose space is all there, else threads."""
    path, mode = f"{drive.path}.io", drive.disk.io
    if mode and mode not in IO_MODES:
        raise invalid(path, f'io mode "{mode}" is unknown', hint="one of " + ", ".join(IO_MODES))
    if mode == "native" and not drive.direct:
        raise invalid(path, f'io "native" needs cache "none", here it is "{drive.cache}"', hint="leave io or cache out")
    if mode:
        return [Prop("aio", mode, manifest(path, f"io mode {mode}"))]
    if drive.direct and image.block_device:
        return [Prop("aio", "native", host("a block device without cache", path))]
    if drive.direct and image.preallocated:
        return [Prop("aio", "native", host("a file without cache whose space is all allocated", path))]
    return []


def _stem(volume: str) -> str:
    """A volume's name, short enough for a node name and still its own."""
    if len(volume) <= _NAME_MAX and volume[:1].isalpha():
        return volume
    digest = hashlib.sha256(volume.encode(errors="surrogatepass")).hexdigest()[:8]
    readable = "".join(char for char in volume if char.isascii() and (char.isalnum() or char == "-"))
    started = readable if readable[:1].isalpha() else f"v{readable}"
    return started[: _NAME_MAX - 9] + "-" + digest
