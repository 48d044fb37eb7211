"""The copy of a serial console, kept small: a guest can write without end.

QEMU appends to ``serial.log``, so it can be emptied under its hands once it has been copied to ``serial.log.1``. What
the guest writes in that moment is lost from the log, not from the console. The directory may belong to the machine's
user: no link is followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from solovirt.controllers.vmi.machines import SERIAL_LOG

LIMIT = 16 * 1024 * 1024
LOOK_EVERY = 5.0
OLD = f"{SERIAL_LOG}.1"
_NEW = f"{SERIAL_LOG}.new"


def keep_small(directory: Path, limit: int = LIMIT) -> bool:
    """Moves the log aside if it is larger than ``limit`` bytes; whether it did. Blocks. Raises ``OSError``."""
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return _rotate(folder, limit)
    except FileNotFoundError:
        return False
    finally:
        os.close(folder)


def _rotate(folder: int, limit: int) -> bool:
    if os.stat(SERIAL_LOG, dir_fd=folder, follow_symlinks=False).st_size <= limit:
        return False
    log = os.open(SERIAL_LOG, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(log)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            return False
        _copy(folder, log, found.st_size, limit)
        os.ftruncate(log, 0)
    finally:
        os.close(log)
    return True


def _copy(folder: int, log: int, size: int, limit: int) -> None:
    """The last ``limit`` bytes, into a file that appears whole."""
    try:
        os.unlink(_NEW, dir_fd=folder)
    except FileNotFoundError:
        pass
    copy = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        offset = max(0, size - limit)
        while offset < size and (sent := os.sendfile(copy, log, offset, min(size - offset, 1 << 20))):
            offset += sent
    finally:
        os.close(copy)
    os.rename(_NEW, OLD, src_dir_fd=folder, dst_dir_fd=folder)
