"""Connecting to a QEMU's unix sockets without being led astray.

A VM's sockets lie in a directory that a compromised QEMU may write to. So: the directory must belong to us or to the
VM's user and be closed to others, the last name must be a socket of the right owner and not a link to one, what is
connected to is the inode that was checked, and the peer's credentials must fit.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from dataclasses import dataclass

from solovirt.host.model.bindings import Sockets
from solovirt.kit.errors import HostError

_UCRED = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who called listen() on the other side, as the kernel tells it (unix(7), SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def connect(path: str, *, uid: int) -> tuple[socket.socket, Peer]:
    """A non-blocking connection to a socket that ``uid`` owns and listens on.

    Raises ``HostError`` reason "UnsafeSocket" when something is wrong with it, and plain ``OSError`` when it is not
    there (yet) or nobody listens: ``FileNotFoundError``, ``ConnectionRefusedError``, ``BlockingIOError``.
    """
    directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check_directory(directory, path, uid)
        node = os.open(os.path.basename(path), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        found = os.fstat(node)
        if not stat.S_ISSOCK(found.st_mode):
            raise _unsafe(path, "is not a socket")
        if found.st_uid != uid:
            raise _unsafe(path, f"belongs to uid {found.st_uid}, expected {uid}")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            # The checked inode itself, by the magic link of its O_PATH descriptor; also free of the 107 byte limit.
            connection.connect(f"/proc/self/fd/{node}")
            peer = Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
            if peer.uid != uid or peer.pid <= 0:
                raise _unsafe(path, f"is served by uid {peer.uid}, expected {uid}")
        except BaseException:
            connection.close()
            raise
        return connection, peer
    finally:
        os.close(node)


def own_uid() -> int:
    """The user whose sockets are ours to use when a VM does not run as one of its own."""
    return os.geteuid()


def _listening(sockets: Sockets) -> tuple[str, ...]:
    """Where QEMU itself may listen."""
    always = (sockets.qmp, sockets.agent, sockets.serial, sockets.vnc)
    return tuple(path for path in (*always, *sockets.usbredir, sockets.downward_metrics) if path)


def remove_all(sockets: Sockets) -> None:
    """Unlink what is left of the sockets of a QEMU that is gone. Raises ``HostError``."""
    for path in _listening(sockets):
        try:
            if stat.S_ISSOCK(os.lstat(path).st_mode):
                os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise HostError(f"cannot remove {path}: {error.strerror}") from error


def make_directories(sockets: Sockets, owner: tuple[int, int] | None) -> None:
    """Make the directories of a VM's sockets (0700) where missing, for ``owner`` (uid, gid). Raises ``HostError``."""
    for path in {os.path.dirname(path) for path in _listening(sockets)}:
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            # Also one that is there: we may have died between making it and giving it away.
            if owner is not None:
                os.chown(path, *owner, follow_symlinks=False)
        except OSError as error:
            raise HostError(f"cannot make {path}: {error.strerror}") from error


def _check_directory(fd: int, path: str, uid: int) -> None:
    found = os.fstat(fd)
    if found.st_uid not in (os.geteuid(), uid):
        raise _unsafe(os.path.dirname(path), f"belongs to uid {found.st_uid}")
    # The group bits are the mask of an access control list where there is one, so only the others' are telling.
    if stat.S_IMODE(found.st_mode) & 0o007:
        raise _unsafe(os.path.dirname(path), "is open to other users")


def _unsafe(path: str, what: str) -> HostError:
    return HostError(f"{path} {what}", reason="UnsafeSocket", hint="refused: it may be another process's")
