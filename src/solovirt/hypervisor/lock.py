"""The liveness lock: who holds ``qemu.lock`` lives.

The lock is a flock on an open file that QEMU inherits, so the kernel drops it with QEMU's last breath and not before:
free means that no QEMU of this instance exists, held means that one lives or is being executed right now. It is true
whatever happened to us. Nothing here knows QMP.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
from pathlib import Path

from solovirt.kit.errors import HostError
from solovirt.kit.process import Child

NAME = "qemu.lock"


def open_directory(directory: Path) -> int:
    """A file descriptor of an instance's directory; symlinks are refused. Raises ``HostError``."""
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"cannot open {directory}: {error.strerror}") from error


def take(directory_fd: int, name: str = NAME) -> int | None:
    """The lock as an open file, made if it is not there; None when somebody else holds it. Raises ``HostError``.

    ``name`` is another one for a helper of QEMU's (:mod:`solovirt.hypervisor.helpers`), here and below.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, 0o600, dir_fd=directory_fd)
    except OSError as error:
        raise HostError(f"cannot open {name}: {error.strerror}") from error
    return fd if _lock(fd) else None


def is_held(directory: Path, name: str = NAME) -> bool:
    """Whether a QEMU of this instance lives. A missing directory or lock file means no. Raises ``HostError``."""
    try:
        fd = os.open(directory / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HostError(f"cannot open {directory / name}: {error.strerror}") from error
    if not _lock(fd):
        return True
    os.close(fd)
    return False


def _lock(fd: int) -> bool:
    """Take the lock; when it is not free, or cannot be taken, the file is closed."""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise HostError(f"{NAME} is not a regular file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno == errno.EWOULDBLOCK:
            return False
        raise HostError(f"cannot lock {NAME}: {error.strerror}") from error
    except HostError:
        os.close(fd)
        raise
    return True


async def is_freed(directory: Path, *, within: float) -> bool:
    """Whether the lock gets free within so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while held := is_held(directory):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.01)
    return not held


async def kill_holders(directory: Path, *, timeout: float = 10.0, name: str = NAME) -> list[int]:
    """SIGKILL every process but ourselves that holds the lock, until it is free; the pids that were killed.

    Raises ``HostError`` reason "HypervisorStuck" when the lock is still held after ``timeout`` seconds.
    """
    killed: list[int] = []
    deadline = asyncio.get_running_loop().time() + timeout
    pause = 0.005
    while is_held(directory, name):
        for pid in await asyncio.to_thread(holders, directory / name):
            if _kill(pid, directory / name):
                killed.append(pid)
        if asyncio.get_running_loop().time() > deadline:
            raise HostError(
                f"{directory / name} is held by a process that cannot be killed",
                reason="HypervisorStuck",
                hint="look for it with: fuser -v " + str(directory / name),
            )
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.2)
    return killed


def holders(path: Path) -> list[int]:
    """The pids, without our own, that hold a flock on ``path`` (blocking: it reads all of /proc that we may read)."""
    try:
        wanted = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return []
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [pid for pid in pids if pid != os.getpid() and _holds(pid, wanted)]


def _holds(pid: int, wanted: os.stat_result) -> bool:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False
    for number in numbers:
        try:
            found = os.stat(f"/proc/{pid}/fd/{number}")
            if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino):
                continue
            # proc(5): one "lock:" line for every lock on this open file.
            with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii", errors="replace") as info:
                if any(line.startswith("lock:") and "FLOCK" in line for line in info):
                    return True
        except OSError:
            continue
    return False


def _kill(pid: int, path: Path) -> bool:
    try:
        child = Child.adopt(pid)
    except ProcessLookupError:
        return False
    try:
        # Asked again now that the pidfd pins the process: the pid may have changed hands since the search.
        return _holds(pid, os.stat(path, follow_symlinks=False)) and child.signal()
    finally:
        child.release()
