"""Files of one VMI: where they are, fresh overlays over cached images, and which cached blobs are under them."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from solovirt.host.images import files
from solovirt.host.images.inspect import Inspection, inspect
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.names import is_dns_label

_ALIGNMENT = 4096
_BLOB = re.compile(r"[0-9a-f]{64}")


def overlay_path(instance: Path, volume: str) -> Path:
    return instance / f"{_checked(volume)}.qcow2"


def seed_path(instance: Path, volume: str) -> Path:
    return instance / f"{_checked(volume)}.iso"


def _checked(volume: str) -> str:
    if not is_dns_label(volume):
        raise Invalid(f"volume name {volume[:80]!r} is not a DNS label")
    return volume


async def over(path: Path, base: DiskImage) -> DiskImage:
    """A writable qcow2 over a cached image. One that is there already (of this same VMI) stays, with its own base."""
    kept = await asyncio.to_thread(_existing, path, Path(base.path).parent)
    if kept is None:
        await qemu_img.create(path, base.size or 0, backing=base, durable=False)
        return DiskImage(path=str(path), format="qcow2", size=base.size, backing=base)
    return kept


def _existing(path: Path, blobs: Path) -> DiskImage | None:
    """The overlay, if it is whole and its base is still in the cache; otherwise it is deleted, to be made anew."""
    if not path.exists():
        return None
    found = inspect(path, allow_backing=True)
    base = Path(found.backing)
    if base.parent == blobs and _BLOB.fullmatch(base.name) and base.exists() and found.backing_format:
        under = inspect(base)
        if under.format == found.backing_format:
            backing = DiskImage(path=str(base), format=under.format, read_only=True, size=under.virtual_size)
            return DiskImage(path=str(path), format="qcow2", size=found.virtual_size, backing=backing)
    path.unlink()
    return None


async def empty(path: Path, size: int) -> DiskImage:
    """A blank qcow2 that lives as long as the VMI; one that is there already stays."""
    if not await asyncio.to_thread(path.exists):
        await qemu_img.create(path, size, durable=False)
    return DiskImage(path=str(path), format="qcow2", size=qemu_img.whole_sectors(size))


def blobs_in_use(instances: Path, blobs: Path) -> dict[str, str]:
    """Blob name -> instance uid, for every overlay there is; for ``ImageStore``'s ``in_use``. Blocks."""
    found: dict[str, str] = {}
    for overlay in instances.glob("*/*.qcow2"):
        inspection = _readable(overlay)
        if inspection is not None and Path(inspection.backing).parent == blobs:
            found[Path(inspection.backing).name] = overlay.parent.name
    return found


def _readable(overlay: Path) -> Inspection | None:
    try:
        return inspect(overlay, allow_backing=True)
    except HostError:
        return None


def with_direct_io(image: DiskImage) -> DiskImage:
    """The same with ``direct_io`` found out by trying, for it and everything under it. Blocks."""
    backing = with_direct_io(image.backing) if image.backing is not None else None
    works = supports_direct_io(image.path) and (backing is None or backing.direct_io)
    return msgspec.structs.replace(image, direct_io=works, backing=backing)


def supports_direct_io(path: str) -> bool:
    """O_DIRECT opens and reads; some file systems open and then fail (KubeVirt tests the same way)."""
    try:
        with _direct(path) as descriptor, mmap.mmap(-1, _ALIGNMENT) as buffer:
            os.preadv(descriptor, [buffer], 0)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _direct(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_instance(directory: Path) -> None:
    with files.telling(directory.parent, f"instance directory {directory.name}"):
        files.make_directory(directory)
