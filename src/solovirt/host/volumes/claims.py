"""PersistentVolumeClaims as files of this host: ``volumes/<namespace>/<claim>/disk.qcow2``, thin.

Knows the files only; the objects, their phases and who uses them are the controllers'.
"""

from __future__ import annotations

import os
from pathlib import Path

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.host import access
from solovirt.host.images import files
from solovirt.host.images.inspect import inspect
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.kit import quantity
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.names import is_dns_subdomain
from solovirt.kit.offload import to_thread

FORMAT = "qcow2"
_DISK = "disk.qcow2"
THICK = ("cdi.kubevirt.io/storage.preallocation", "cdi.kubevirt.io/storage.thick-provisioned")
"""Annotations of claims that keep all of their space, in CDI's words."""


def is_thick(claim: PersistentVolumeClaim) -> bool:
    return any(claim.metadata.annotations.get(name) == "true" for name in THICK)


def requested_size(claim: PersistentVolumeClaim) -> int:
    """Bytes of ``spec.resources.requests.storage``. Raises ``Invalid``."""
    return storage_request(claim.spec.resources.requests, "spec.resources.requests.storage")


def storage_request(requests: dict[str, str | int | float], field: str) -> int:
    """Bytes of ``requests["storage"]``. Raises ``Invalid`` when it is missing or not positive."""
    given = requests.get("storage")
    try:
        size = quantity.to_bytes(given) if given is not None else 0
    except ValueError as error:
        raise Invalid(f"{field}: {error}", field=field) from error
    if size <= 0:
        raise Invalid(f"{field}: Required value: a size such as 10Gi", field=field)
    return size


class Claims:
    """All claims below one directory (``paths.volumes``)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def disk(self, namespace: str, name: str) -> Path:
        """Where the claim's disk is or would be. Raises ``Invalid`` for names that could leave the directory."""
        for part in (namespace, name):
            if not is_dns_subdomain(part):
                raise Invalid(f"{part[:80]!r} is not a name of a namespace or claim")
        return self._root / namespace / name / _DISK

    def find(self, namespace: str, name: str) -> DiskImage | None:
        """The claim's disk with its real size, if it was made. Blocks. Raises ``HostError`` if it is unreadable."""
        path = self.disk(namespace, name)
        if not path.exists():
            return None
        found = inspect(path, name=f"of claim {namespace}/{name}")
        return DiskImage(path=str(path), format=FORMAT, size=found.virtual_size)

    async def create(self, namespace: str, name: str, size: int, *, preallocate: bool = False) -> DiskImage:
        """An empty disk of ``size`` bytes; one that is there already stays as it is (it is never made smaller)."""
        path = self.disk(namespace, name)
        found = await to_thread(self.find, namespace, name)
        if found is not None:
            return found
        await self.make_directory(namespace, name)
        await qemu_img.create(path, size, preallocate=preallocate)
        return DiskImage(path=str(path), format=FORMAT, size=qemu_img.whole_sectors(size))

    async def make_directory(self, namespace: str, name: str) -> Path:
        directory = self.disk(namespace, name).parent

        def make() -> None:
            with files.telling(self._root, f"claim {namespace}/{name}"):
                files.make_directory(directory)
                access.open_claim(directory / _DISK)

        await to_thread(make)
        return directory

    async def expand(self, namespace: str, name: str, size: int) -> DiskImage:
        """Grows a disk that no VM has open to at least ``size``; a running VM's is grown by QEMU (block_resize).

        Raises ``HostError``: ``VolumeNotFound``, ``VolumeInUse``, ``StorageFull``.
        """
        found = await to_thread(self.find, namespace, name)
        if found is None:
            raise HostError(f"claim {namespace}/{name} has no disk", reason="VolumeNotFound")
        size = qemu_img.whole_sectors(size)
        if found.size is not None and found.size >= size:
            return found
        await qemu_img.resize(Path(found.path), FORMAT, size)
        return DiskImage(path=found.path, format=FORMAT, size=size)

    async def delete(self, namespace: str, name: str) -> None:
        """Deletes the disk and whatever an interrupted import left beside it; fine when there is nothing."""
        directory = self.disk(namespace, name).parent

        def remove() -> None:
            with files.telling(self._root, f"claim {namespace}/{name}"):
                if directory.exists():
                    files.remove_tree(directory)
                    files.sync_directory(directory.parent)

        await to_thread(remove)

    async def existing(self) -> list[tuple[str, str]]:
        """(namespace, claim) of every directory here, for finding those whose object is gone."""
        return await to_thread(self._scan)

    def _scan(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self._root.is_dir():
            return found
        for namespace in sorted(os.scandir(self._root), key=lambda entry: entry.name):
            if namespace.is_dir(follow_symlinks=False):
                names = (entry.name for entry in os.scandir(namespace.path) if entry.is_dir(follow_symlinks=False))
                found += [(namespace.name, name) for name in sorted(names)]
        return found

    async def sweep(self) -> None:
        """At the daemon's start: deletes unpublished files of interrupted creations and imports."""

        def remove() -> None:
            with files.telling(self._root, "volumes"):
                for left in self._root.glob(f"*/*/*{files.PARTIAL}"):
                    left.unlink(missing_ok=True)

        await to_thread(remove)
