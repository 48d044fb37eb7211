"""Files of one VMI: where they are, fresh overlays over cached images, and which cached blobs are under them."""

from __future__ import annotations

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
from solovirt.kit.offload import to_thread

_ALIGNMENT = 4096
_BLOB = re.compile(r"[0-9a-f]{64}")


def overlay_path(instance: Path, volume: str) -> Path:
    return instance / f"{_checked(volume)}.qcow2"


def seed_path(instance: Path, volume: str) -> Path:
    return instance / f"{_checked(volume)}.iso"


def metrics_path(instance: Path, volume: str) -> Path:
    return instance / f"{_checked(volume)}.vhostmd"


def _checked(volume: str) -> str:
    if not is_dns_label(volume):
        raise Invalid(f"volume name {volume[:80]!r} is not a DNS label")
    return volume


async def over(path: Path, base: DiskImage) -> DiskImage:
    """A writable qcow2 over a cached image. One that is there already (of this same VMI) stays, with its own base."""
    kept = await to_thread(_existing, path, Path(base.path).parent)
    if kept is None:
        await qemu_img.create(path, base.size or 0, backing=base, durable=False)
        return DiskImage(path=str(path), format="qcow2", size=base.size, backing=base)
    return kept


async def over_claim(path: Path, base: DiskImage) -> DiskImage:
    """A writable qcow2 over a claim's disk, which itself stays as it is. One that is there already stays."""
    base = msgspec.structs.replace(base, read_only=True)
    if not await to_thread(_lies_on, path, base):
        await qemu_img.create(path, base.size or 0, backing=base, durable=False)
    return DiskImage(path=str(path), format="qcow2", size=base.size, backing=base)


def _lies_on(path: Path, base: DiskImage) -> bool:
    """Whether the overlay is there and whole; one over another image is deleted, to be made anew."""
    found = _readable(path)
    if found is not None and (found.backing, found.backing_format) == (base.path, base.format):
        return True
    path.unlink(missing_ok=True)
    return False


def _existing(path: Path, blobs: Path) -> DiskImage | None:
    """The overlay, if it is whole and its base is still in the cache; otherwise it is deleted, to be made anew."""
    found = _readable(path)
    backing = _blob_under(found, blobs) if found is not None else None
    if found is None or backing is None:
        path.unlink(missing_ok=True)
        return None
    return DiskImage(path=str(path), format="qcow2", size=found.virtual_size, backing=backing)


def _blob_under(found: Inspection, blobs: Path) -> DiskImage | None:
    base = Path(found.backing)
    if base.parent != blobs or not _BLOB.fullmatch(base.name) or not base.exists():
        return None
    under = inspect(base)
    if under.format != found.backing_format:
        return None
    return DiskImage(path=str(base), format=under.format, read_only=True, size=under.virtual_size)


async def empty(path: Path, size: int) -> DiskImage:
    """A blank qcow2 that lives as long as the VMI; one that is there already stays, if it is whole."""
    found = await to_thread(_readable, path)
    if found is None or found.format != "qcow2":
        path.unlink(missing_ok=True)
        await qemu_img.create(path, size, durable=False)
    return DiskImage(path=str(path), format="qcow2", size=qemu_img.whole_sectors(size))


def blobs_in_use(instances: Path, blobs: Path) -> dict[str, str]:
    """Blob name -> instance uid, for every overlay there is; for ``ImageStore``'s ``in_use``. Blocks."""
    found: dict[str, str] = {}
    for overlay in _overlays(instances):
        inspection = _readable(overlay)
        if inspection is not None and Path(inspection.backing).parent == blobs:
            found[Path(inspection.backing).name] = overlay.parent.name
    return found


def _overlays(instances: Path) -> Iterator[Path]:
    """Instances come and go meanwhile, which ``Path.glob`` does not bear."""
    for directory in _listed(instances):
        yield from (path for path in _listed(directory) if path.suffix == ".qcow2")


def _listed(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _readable(overlay: Path) -> Inspection | None:
    """None also for a file that a power failure emptied: nobody waited until it was on disk."""
    try:
        return inspect(overlay, allow_backing=True)
    except HostError:
        return None


def with_direct_io(image: DiskImage) -> DiskImage:
    """The same with ``direct_io`` found out by trying, for it and everything under it. Blocks."""
    backing = with_direct_io(image.backing) if image.backing is not None else None
    written_raw = image.format == "raw" and not image.read_only
    works = supports_direct_io(image.path, whole=written_raw) and (backing is None or backing.direct_io)
    return msgspec.structs.replace(image, direct_io=works, backing=backing)


def supports_direct_io(path: str, *, whole: bool = False) -> bool:
    """O_DIRECT opens and reads; some file systems open and then fail (KubeVirt tests the same way).

    ``whole``: the file is to be written and may not grow, so QEMU refuses it ("Image size is not a multiple of request
    alignment") unless its size is a multiple of what QEMU takes for the alignment.
    """
    try:
        with _direct(path) as descriptor, mmap.mmap(-1, _ALIGNMENT) as buffer:
            os.preadv(descriptor, [buffer], 0)
            return not whole or os.fstat(descriptor).st_size % _alignment(descriptor, buffer) == 0
    except OSError:
        return False


def _alignment(descriptor: int, buffer: mmap.mmap) -> int:
    """As QEMU finds it out (block/file-posix.c, raw_probe_alignment): one byte that can be read tells nothing."""
    for size in (1, 512, 1024, 2048):
        with memoryview(buffer) as whole, whole[:size] as part:
            try:
                os.preadv(descriptor, [part], 0)
            except OSError:
                continue
        return size if size > 1 else _ALIGNMENT
    return _ALIGNMENT


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
