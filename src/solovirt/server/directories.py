"""The daemon's directories: made with the right modes, and refused when somebody else could have made them.

For root they can be passed through but not read by others (0711): QEMU runs as an unprivileged user and opens its own
VM's files by path. For a user they are private (0700).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths

PRIVATE = 0o700
PASSAGE = 0o711
RUNTIME_MAX = 107 - len("/vmi/00000000-0000-0000-0000-000000000000/serial.sock")
"""Bytes of the runtime directory's path: the longest socket of a VM must fit into ``sockaddr_un`` (unix(7))."""


def prepare(paths: Paths, euid: int) -> None:
    """Raises HostError "DirectoryUnusable"."""
    mode = PASSAGE if euid == 0 else PRIVATE
    if len(os.fsencode(paths.runtime)) > RUNTIME_MAX:
        raise HostError(
            f"{paths.runtime}: the path has more than {RUNTIME_MAX} bytes, so the sockets of VMs would not fit into it",
            reason="DirectoryUnusable",
            hint="SOLOVIRT_RUNTIME_DIR names another place",
        )
    for path in (paths.state, paths.runtime):
        _make(path, mode, euid)


def _make(path: Path, mode: int, euid: int) -> None:
    try:
        path.parent.mkdir(mode=0o755 if euid == 0 else PRIVATE, parents=True, exist_ok=True)
        try:
            path.mkdir(mode=mode)
        except FileExistsError:
            pass
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(
            f"{path}: {error.strerror}",
            reason="DirectoryUnusable",
            hint="SOLOVIRT_STATE_DIR and SOLOVIRT_RUNTIME_DIR name other places",
        ) from error
    try:
        found = os.fstat(descriptor)
        if found.st_uid != euid:
            raise HostError(f"{path} belongs to user {found.st_uid}, not to us", reason="DirectoryUnusable")
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
