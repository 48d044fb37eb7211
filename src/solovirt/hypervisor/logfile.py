"""``qemu.log``: what QEMU says on stdout and stderr, kept small, and its last lines for error messages.

A guest can make QEMU write into this and into ``serial.log`` as fast as it likes, so both are cut while it runs.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from solovirt.kit.errors import HostError
from solovirt.kit.text import printable

NAME = "qemu.log"
ROTATE_AT = 1024 * 1024
TRIM_AT = 16 * 1024 * 1024
"""Bytes of a log that a running QEMU writes to; as much of what was before is kept in ``<name>.1``."""

_CHUNK = 1024 * 1024


def open_log(directory_fd: int, name: str = NAME) -> int:
    """The log, open for appending. One that is larger than 1 MiB becomes ``<name>.1`` first. Raises ``HostError``."""
    try:
        if os.stat(name, dir_fd=directory_fd, follow_symlinks=False).st_size > ROTATE_AT:
            os.rename(name, f"{name}.1", src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(f"cannot rotate {name}: {error.strerror}") from error
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, 0o600, dir_fd=directory_fd)
    except OSError as error:
        raise HostError(f"cannot open {name}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise HostError(f"{name} is not a regular file")
    return fd


def names(directory: Path) -> list[str]:
    """The logs of QEMU and its helpers in an instance's directory."""
    try:
        return sorted(name for name in os.listdir(directory) if name.endswith(".log") and name != "serial.log")
    except FileNotFoundError:
        return []


def last_lines(fd: int, *, since: int = 0, lines: int = 5) -> str:
    """The last lines written after offset ``since``, safe to print; "" when there are none."""
    size = os.fstat(fd).st_size
    start = max(since, size - 8192)
    text = os.pread(fd, max(0, size - start), start).decode("utf-8", "replace")
    found = [printable(line, 500).strip() for line in text.splitlines()]
    return "\n".join([line for line in found if line][-lines:])


def provide(directory_fd: int, name: str, owner: tuple[int, int]) -> None:
    """An empty log for ``owner`` (uid, gid), who may not make files in the directory. One that is there stays."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, 0o600, dir_fd=directory_fd)
    except FileExistsError:
        return
    except OSError as error:
        raise HostError(f"cannot make {name}: {error.strerror}") from error
    try:
        os.fchown(fd, *owner)
    finally:
        os.close(fd)


def trim(directory: Path, name: str, limit: int = TRIM_AT) -> bool:
    """Cuts a log that has grown beyond ``limit`` bytes to nothing; its end becomes ``<name>.1``. Blocks.

    The writer goes on with the same open file, which it appends to (O_APPEND). What it writes between our last read
    and the cut is lost. Without space for the copy the log is cut all the same. Raises ``OSError``.
    """
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size <= limit:
                return False
            with contextlib.suppress(OSError):
                _keep_end(fd, folder, f"{name}.1", limit)
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)
    finally:
        os.close(folder)
    return True


def _keep_end(fd: int, folder: int, name: str, limit: int) -> None:
    new = f"{name}.partial"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new, dir_fd=folder)
    copy = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with open(copy, "wb") as target:
            offset = max(0, os.fstat(fd).st_size - limit)
            left = limit
            while left and (piece := os.pread(fd, min(_CHUNK, left), offset)):
                target.write(piece)
                offset += len(piece)
                left -= len(piece)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(new, dir_fd=folder)
        raise
