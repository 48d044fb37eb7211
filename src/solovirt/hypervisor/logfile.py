"""``qemu.log``: what QEMU says on stdout and stderr, kept small, and its last lines for error messages."""

from __future__ import annotations

import os
import stat

from solovirt.kit.errors import HostError
from solovirt.kit.text import printable

NAME = "qemu.log"
ROTATE_AT = 1024 * 1024


def open_log(directory_fd: int) -> int:
    """The log, open for appending. One that is larger than 1 MiB becomes ``qemu.log.1`` first. Raises ``HostError``."""
    try:
        if os.stat(NAME, dir_fd=directory_fd, follow_symlinks=False).st_size > ROTATE_AT:
            os.rename(NAME, f"{NAME}.1", src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(f"cannot rotate {NAME}: {error.strerror}") from error
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(NAME, flags, 0o600, dir_fd=directory_fd)
    except OSError as error:
        raise HostError(f"cannot open {NAME}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise HostError(f"{NAME} is not a regular file")
    return fd


def last_lines(fd: int, *, since: int = 0, lines: int = 5) -> str:
    """The last lines written after offset ``since``, safe to print; "" when there are none."""
    size = os.fstat(fd).st_size
    start = max(since, size - 8192)
    text = os.pread(fd, max(0, size - start), start).decode("utf-8", "replace")
    found = [printable(line, 500).strip() for line in text.splitlines()]
    return "\n".join([line for line in found if line][-lines:])
