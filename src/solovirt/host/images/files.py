"""Files written so that a crash at any instant leaves the old state or the new one, and errors of a full disk.

Knows nothing of images or volumes. All functions block: call them from a worker thread.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from solovirt.kit.errors import HostError
from solovirt.kit.text import printable

PARTIAL = ".partial"
"""Suffix of a file that is not published yet; whatever bears it after a crash may be deleted."""

_HOLE = 64 * 1024
_ZEROS = bytes(_HOLE)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def format_size(size: int) -> str:
    """``1536`` -> "1.5 KiB": for sentences that people read, never for fields of the API."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def free_space(directory: Path) -> int:
    """Bytes that this process may still write below ``directory`` (or its nearest existing parent)."""
    for place in (directory, *directory.parents):
        with contextlib.suppress(FileNotFoundError):
            return shutil.disk_usage(place).free
    return 0


def storage_full(directory: Path, what: str, needed: int | None = None) -> HostError:
    """The error for a full disk: reason ``StorageFull``, with what was needed and what is free."""
    need = f"needs {format_size(needed)}, " if needed is not None else ""
    return HostError(
        f"{what}: no space left below {directory}: {need}{format_size(free_space(directory))} free",
        reason="StorageFull",
        hint="free some space, remove images (solovirt image rm) or set SOLOVIRT_STATE_DIR to a larger disk",
    )


def require_space(directory: Path, needed: int, what: str) -> None:
    if needed > free_space(directory):
        raise storage_full(directory, what, needed)


@contextlib.contextmanager
def telling(directory: Path, what: str) -> Iterator[None]:
    """Turns an ``OSError`` inside into a ``HostError`` that names ``what`` and the file."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise storage_full(directory, what) from error
        place = f" {error.filename}" if error.filename else ""
        raise HostError(
            f"{what}:{place} {error.strerror or error}".replace(":  ", ": "), reason="StorageError"
        ) from error


def make_directory(path: Path, mode: int = 0o700) -> None:
    """``path`` and its parents; only directories that did not exist get ``mode``."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(partial: Path, target: Path, *, durable: bool = True) -> None:
    """Renames a finished file over ``target``; ``durable``: safe from power loss too, not only from a crash of ours."""
    if durable:
        sync_file(partial)
    partial.replace(target)
    if durable:
        sync_directory(target.parent)


def write_atomic(target: Path, data: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
    """Replaces ``target``; readers see the old content or the new one. See ``publish``."""
    partial = target.with_name(target.name + PARTIAL)
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
    publish(partial, target, durable=durable)


def open_regular(path: Path, what: str, *, follow: bool = False) -> int:
    """A read-only descriptor of a regular file or block device; never blocks on a FIFO. Raises ``HostError``."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        text = "is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise HostError(f"{what}: {path}: {text}", reason="UnreadableFile") from error
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        os.close(descriptor)
        raise HostError(f"{what}: {path}: not a regular file", reason="UnreadableFile")
    return descriptor


def remove_tree(directory: Path) -> None:
    """Deletes a directory in which a machine's programs may have made whatever they like; fine when it is not there.

    No link is followed, and nothing is too deep: ``shutil.rmtree`` needs a stack frame and a descriptor for each level,
    which a guest may have made by the thousand. Raises ``OSError``.
    """
    try:
        with os.scandir(directory) as entries:
            flat = not any(entry.is_dir(follow_symlinks=False) for entry in entries)
        if flat or directory.is_symlink():
            shutil.rmtree(directory)  # which refuses a link
            return
    except FileNotFoundError:
        return
    words = ["rm", "-rf", "--one-file-system", "--", str(directory)]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr[:4096].decode("utf-8", "replace").strip().splitlines()
        raise OSError(errno.EIO, printable(said[0], 300) if said else "rm failed")


class SparseWriter:
    """A new file that gets its bytes in order: hashed, with holes for blocks of zeros.

    ``stored`` counts the bytes that are not in holes. As a context manager it deletes the file unless ``commit`` was
    called.
    """

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.path = path
        self.size = 0
        self.stored = 0
        self._descriptor = os.open(path, flags, mode)
        self._digest = hashlib.sha256()
        self._committed = False

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        for start in range(0, len(data), _HOLE):
            block = data[start : start + _HOLE]
            if block != _ZEROS[: len(block)]:
                self._write_at(block, self.size + start)
        self.size += len(data)

    def _write_at(self, block: bytes, offset: int) -> None:
        view = memoryview(block)
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written
        self.stored += len(block)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def commit(self) -> None:
        """Gives the file its full length and makes it durable; it stays at ``path``."""
        os.ftruncate(self._descriptor, self.size)
        os.fsync(self._descriptor)
        self._committed = True

    def __enter__(self) -> SparseWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        if not self._committed:
            self.path.unlink(missing_ok=True)
