"""The API's socket: bound by us with mode 0600, or handed over by systemd."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from solovirt.kit.errors import HostError

BACKLOG = 1024
FIRST_FD = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


def inherited(environ: Mapping[str, str], pid: int) -> list[socket.socket]:
    """Sockets of systemd's socket activation; [] when there are none.

    Raises HostError for one that is not a listening unix socket: nothing here authenticates clients of a TCP port.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return []
    count = environ.get("LISTEN_FDS", "")
    if not count.isdigit():
        return []
    found = [socket.socket(fileno=descriptor) for descriptor in range(FIRST_FD, FIRST_FD + int(count))]
    for given in found:
        given.set_inheritable(False)
    foreign = [given for given in found if given.family != socket.AF_UNIX or given.type != socket.SOCK_STREAM]
    if foreign:
        family = socket.AddressFamily(foreign[0].family).name
        for given in found:
            given.close()
        raise HostError(
            f"socket activation passed a {family} socket; only unix stream sockets are served",
            reason="SocketUnusable",
        )
    return found


def listen(path: Path) -> socket.socket:
    """Bind ``path`` and listen. The caller must hold the daemon's lock: an old socket file is then nobody's.

    Raises HostError "SocketUnusable".
    """
    try:
        _remove_stale(path)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The umask decides the mode at the moment of bind: there is no instant in which others can connect.
            previous = os.umask(0o177)
            try:
                made.bind(str(path))
            finally:
                os.umask(previous)
            made.listen(BACKLOG)
        except OSError:
            made.close()
            raise
    except OSError as error:
        hint = "unix socket paths have at most 107 bytes: set SOLOVIRT_RUNTIME_DIR" if "too long" in str(error) else ""
        raise HostError(f"{path}: {error.strerror or error}", reason="SocketUnusable", hint=hint) from error
    return made


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise HostError(f"{path} is in the way and is not a socket", reason="SocketUnusable", hint="move it away")
    path.unlink()
