"""One daemon for one state directory: an exclusive lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from solovirt.kit.errors import HostError

STOPPING_PATIENCE = 10.0
"""Seconds to try while the holder does not serve: it is stopping, and we take over; or it is starting, like us."""


class DaemonLock:
    """Held from ``acquire`` until ``release`` or the end of the process. Its file keeps the holder's pid."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, *, served: Callable[[], bool]) -> DaemonLock:
        """Blocks for at most STOPPING_PATIENCE. ``served`` says whether somebody's API socket is there.

        Raises HostError "DaemonRunning" naming the holder, or "LockUnusable".
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}", reason="LockUnusable") from error
        deadline = time.monotonic() + STOPPING_PATIENCE
        while not _try_lock(descriptor):
            # One that does not leave at once would take over, unwanted, when that daemon is stopped meanwhile.
            if (served() and _is_exclusive(descriptor)) or time.monotonic() > deadline:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise HostError(
                    f"another solovirt daemon (pid {holder or 'unknown'}) already serves {path.parent}",
                    reason="DaemonRunning",
                    hint="`solovirt daemon stop` stops it; VMs go on running",
                )
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_exclusive(descriptor: int) -> bool:
    """Whether a daemon holds it, not one of those who only look (`solovirt daemon status`, or this function)."""
    if not _try_lock(descriptor, fcntl.LOCK_SH):
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
