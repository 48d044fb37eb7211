"""The cache on disk: blobs by sha256 and one JSON record per reference. Blocking, synchronous, no network.

    images/blobs/sha256/<hex>        files out of images: disks, kernels, initrds; read-only, never changed
    images/index/<sha256 of key>.json  which blobs a reference has
    images/tmp/<random>/             pulls and imports under way; deleted at the next start

A record is written after its blobs and names only whole ones; a crash leaves unnamed blobs, which ``collect`` deletes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

import msgspec

from solovirt.host.images import files
from solovirt.host.images.files import SparseWriter
from solovirt.host.images.layers import normalise
from solovirt.host.images.reference import Reference
from solovirt.host.model.bindings import DiskImage
from solovirt.kit import json
from solovirt.kit.errors import HostError

_VERSION = 1


class StoredFile(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One file of an image. ``format`` is "raw" or "qcow2", or "" where ``refusal`` says why it is no usable disk."""

    path: str
    sha256: str
    size: int
    format: str = ""
    virtual_size: int = 0
    refusal: str = ""


class Record(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a reference resolved to. ``digest`` is the registry's (of the index, if there is one); "" if imported."""

    version: int
    key: str
    reference: str
    updated: str
    digest: str = ""
    local: bool = False
    files: tuple[StoredFile, ...] = ()
    names: tuple[str, ...] = ()
    names_complete: bool = True
    refusals: dict[str, str] = {}


def image_path(path: str, field: str = "") -> str:
    """An absolute path inside an image. Raises ``HostError`` for relative ones and those with ``..``, as KubeVirt."""
    try:
        plain = normalise(path)
    except ValueError:
        plain = ""
    if not path.startswith("/") or plain != path or plain == "/":
        raise HostError(
            f"path {path[:120]!r} must be an absolute path to a file without relative elements",
            reason="InvalidImagePath",
            field=field,
        )
    return plain


class Image(msgspec.Struct, frozen=True):
    """A whole image in the cache. Its paths stay valid while the image is in use (see ``ImageStore``)."""

    record: Record
    blobs: Path

    @property
    def reference(self) -> str:
        return self.record.reference

    @property
    def digest(self) -> str:
        return self.record.digest

    @property
    def local(self) -> bool:
        """Imported here, not pulled."""
        return self.record.local

    @property
    def size(self) -> int:
        """Bytes of all files, holes included."""
        return sum(stored.size for stored in self.record.files)

    def holds(self, paths: Collection[str]) -> bool:
        """Every path is here, or is known not to be in the image."""
        have = {stored.path for stored in self.record.files}
        hidden = not self.record.names_complete
        return all(path in have or not (hidden or path in self.record.names) for path in paths)

    def disk(self, path: str = "", *, field: str = "") -> DiskImage:
        """The disk at ``path``, or the only file of /disk. Raises ``HostError`` naming what the image has instead."""
        stored = self._stored(image_path(path, field), field) if path else self._only_disk(field)
        if stored.refusal or not stored.format:
            why = stored.refusal or "not a disk image"
            raise HostError(f"image {self.reference}: {stored.path}: {why}", reason="InvalidImage", field=field)
        return DiskImage(
            path=str(self.blob(stored)), format=stored.format, read_only=True, size=stored.virtual_size or None
        )

    def file(self, path: str, *, field: str = "") -> Path:
        """The blob of any file that was asked for (kernel, initrd)."""
        return self.blob(self._stored(image_path(path, field), field))

    def blob(self, stored: StoredFile) -> Path:
        return self.blobs / stored.sha256

    def _stored(self, path: str, field: str) -> StoredFile:
        for stored in self.record.files:
            if stored.path == path:
                return stored
        raise HostError(f"image {self.reference} {self._why_not(path)}", reason="InvalidImage", field=field)

    def _why_not(self, path: str) -> str:
        places = [path, *("/".join(path.split("/")[:end]) for end in range(len(path.split("/")) - 1, 1, -1))]
        for place in places:
            if place in self.record.refusals:
                return f"has {self.record.refusals[place]} at {place}; only regular files are taken"
        have = ", ".join(self.record.names[:8]) or "no regular files"
        more = ", ..." if len(self.record.names) > 8 else ""
        return f"has no file {path}; it has {have}{more}"

    def _only_disk(self, field: str) -> StoredFile:
        found = [stored for stored in self.record.files if os.path.dirname(stored.path) == "/disk"]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(os.path.basename(stored.path) for stored in found[:8])
            why = f"more than one file found in folder /disk, only one disk is allowed ({names}); name it with path"
        else:
            why = self._why_not("/disk").replace("has no file /disk", "has no file in folder /disk")
        raise HostError(f"image {self.reference}: {why}", reason="InvalidImage", field=field)


class Cache:
    """The directories. All methods block; the caller serialises those that write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self._index = root / "index"
        self._temporary = root / "tmp"

    def open(self) -> None:
        """Makes the directories and deletes what a killed daemon left half-done."""
        for directory in (self.blobs, self._index):
            files.make_directory(directory)
        shutil.rmtree(self._temporary, ignore_errors=True)
        files.make_directory(self._temporary)
        for left in self._index.glob(f"*{files.PARTIAL}"):
            left.unlink(missing_ok=True)

    def new_workspace(self) -> Path:
        """A private directory on the blobs' own file system; the caller deletes it."""
        files.make_directory(self._temporary)
        return Path(tempfile.mkdtemp(dir=self._temporary))

    def load(self, reference: Reference) -> Image | None:
        """The image, if its record and all of its blobs are whole."""
        record = self._read(self._record_path(reference.key))
        if record is None or record.key != reference.key:
            return None
        image = Image(record, self.blobs)
        return image if all(self._whole(image, stored) for stored in record.files) else None

    def images(self) -> list[Image]:
        records = (self._read(path) for path in sorted(self._index.glob("*.json")))
        found = [Image(record, self.blobs) for record in records if record is not None]
        return sorted(found, key=lambda image: image.record.key)

    def publish(self, record: Record, contents: dict[str, SparseWriter]) -> Image:
        """Moves committed files (by sha256) to their places, then makes the record current."""
        for digest, writer in contents.items():
            os.chmod(writer.path, 0o400)
            target = self.blobs / digest
            if target.exists() and target.stat().st_size == writer.size:
                writer.path.unlink()
            else:
                writer.path.replace(target)
        files.sync_directory(self.blobs)
        files.write_atomic(self._record_path(record.key), json.encode(record))
        return Image(record, self.blobs)

    def forget(self, key: str) -> bool:
        try:
            self._record_path(key).unlink()
        except FileNotFoundError:
            return False
        files.sync_directory(self._index)
        return True

    def collect(self, keep: Collection[str]) -> int:
        """Deletes blobs that no record names and whose name is not in ``keep``; returns the bytes freed."""
        named = {stored.sha256 for image in self.images() for stored in image.record.files}
        freed = 0
        for entry in os.scandir(self.blobs):
            if entry.name not in named and entry.name not in keep:
                freed += entry.stat(follow_symlinks=False).st_blocks * 512
                os.unlink(entry.path)
        return freed

    def _record_path(self, key: str) -> Path:
        return self._index / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _read(self, path: Path) -> Record | None:
        try:
            record = msgspec.json.decode(path.read_bytes(), type=Record)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return record if record.version == _VERSION else None

    def _whole(self, image: Image, stored: StoredFile) -> bool:
        try:
            return os.stat(image.blob(stored), follow_symlinks=False).st_size == stored.size
        except FileNotFoundError:
            return False
