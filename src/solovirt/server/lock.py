"""One daemon for one state directory: an exclusive lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from solovirt.kit.errors import HostError

PATIENCE = 0.5
"""Seconds to try: `solovirt daemon status` holds a shared lock for an instant when it looks."""


class DaemonLock:
    """Held from ``acquire`` until ``release`` or the end of the process. Its file keeps the holder's pid."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> DaemonLock:
        """Blocks for at most PATIENCE. Raises HostError "DaemonRunning" naming the holder, or "LockUnusable"."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}", reason="LockUnusable") from error
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise HostError(
                    f"another solovirt daemon (pid {holder or 'unknown'}) already serves {path.parent}",
                    reason="DaemonRunning",
                    hint="`solovirt daemon stop` stops it; VMs go on running",
                ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)
