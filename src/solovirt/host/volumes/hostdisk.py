"""hostDisk: a raw file or block device of this host, named by the manifest. Blocks.

The path is walked without following any symbolic link, and a new file is made with O_EXCL: nobody can slip another
file in between (KubeVirt GHSA-46xp-26xh-hpqh). Directories are never made.
"""

from __future__ import annotations

import errno
import os
import stat

from solovirt.api.kubevirt.spec.sources import HostDiskSource
from solovirt.host.model.bindings import DiskImage
from solovirt.kit import nolinks, quantity
from solovirt.kit.errors import HostError, Invalid

DISK, DISK_OR_CREATE = "Disk", "DiskOrCreate"


def capacity(source: HostDiskSource, field: str) -> int:
    """Bytes of ``capacity``; 0 when it is not given. Raises ``Invalid``."""
    if source.capacity is None:
        return 0
    try:
        return quantity.to_bytes(source.capacity)
    except ValueError as error:
        raise Invalid(f"{field}.capacity: {error}", field=f"{field}.capacity") from error


def prepare(source: HostDiskSource, field: str) -> DiskImage:
    """Opens the disk, or makes it for ``DiskOrCreate``; always raw. Raises ``HostError`` or ``Invalid``."""
    if source.type not in (DISK, DISK_OR_CREATE):
        raise Invalid(f"{field}.type: {source.type!r} is neither Disk nor DiskOrCreate", field=f"{field}.type")
    path = checked_path(source.path, f"{field}.path")
    size = capacity(source, field)
    parent = _open_parent(path, field)
    try:
        descriptor = _open(os.path.basename(path), parent, path, source.type, size, field)
    finally:
        os.close(parent)
    try:
        return _describe(descriptor, path, field, size if source.type == DISK_OR_CREATE else 0)
    finally:
        os.close(descriptor)


def checked_path(path: str, field: str) -> str:
    if not path.startswith("/") or os.path.normpath(path) != path or path == "/" or "\0" in path:
        raise Invalid(f"{field}: {path[:120]!r} must be an absolute path without . and .. parts", field=field)
    return path


def _open_parent(path: str, field: str) -> int:
    try:
        return nolinks.open_parent(path)
    except OSError as error:
        raise _refused(path, str(error.filename), error, field) from error


def _refused(path: str, place: str, error: OSError, field: str) -> HostError:
    link = error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and os.path.islink(place))
    why = "is a symbolic link, which is refused" if link else error.strerror
    return HostError(f"hostDisk {path}: {place}: {why}", reason="HostDiskUnusable", field=f"{field}.path")


def _open(name: str, parent: int, path: str, kind: str, size: int, field: str) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if kind == DISK_OR_CREATE:
        try:
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent)
        except FileExistsError:
            pass
        except OSError as error:
            raise _refused(path, path, error, field) from error
        else:
            _reserve(descriptor, name, parent, path, size, field)
            return descriptor
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        raise _refused(path, path, error, field) from error


def _reserve(descriptor: int, name: str, parent: int, path: str, size: int, field: str) -> None:
    """Gives a new file its size, or removes it again."""
    try:
        if not size:
            text = f"{field}.capacity: required to create {path}"
            raise Invalid(text, field=f"{field}.capacity")
        free = os.fstatvfs(descriptor)
        available = free.f_bavail * free.f_frsize
        if size > available:
            raise HostError(
                f"unable to create {path}, not enough space, demanded size {size} B is bigger than available space"
                f" {available} B",
                reason="StorageFull",
                field=f"{field}.capacity",
            )
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except BaseException:
        os.unlink(name, dir_fd=parent)
        os.close(descriptor)
        raise


def _describe(descriptor: int, path: str, field: str, size: int) -> DiskImage:
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        text = f"hostDisk {path}: neither a regular file nor a block device"
        raise HostError(text, reason="HostDiskUnusable", field=f"{field}.path")
    found = os.lseek(descriptor, 0, os.SEEK_END)
    if not found and size and stat.S_ISREG(mode):
        # A crash between creating the file and giving it its size.
        os.ftruncate(descriptor, size)
        found = size
    if not found:
        raise HostError(f"hostDisk {path}: it is empty", reason="HostDiskUnusable", field=f"{field}.path")
    return DiskImage(path=path, format="raw", block_device=stat.S_ISBLK(mode), size=found)
