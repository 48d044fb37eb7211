"""The process that thaws a guest when its time is over, even if nobody else is there to do it.

One for a frozen machine, in a session of its own (:mod:`solovirt.hypervisor.thaw`). It is found again by a lock in the
machine's directory, as QEMU's helpers are. It ends by itself with QEMU. Must not know why a guest was frozen.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from solovirt.hypervisor import lock, thaw
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import HostError
from solovirt.kit.process import Child, spawn

NAME = "thaw.guard"


def start(instance: Instance, deadline: float) -> Child:
    """It waits from now on, until ``deadline`` on CLOCK_BOOTTIME. Raises ``HostError``; with
    reason "GuardianThere" when one waits already.
    """
    directory = instance.identity.directory
    try:
        qemu = os.pidfd_open(instance.pid)
    except OSError as error:
        raise HostError(f"QEMU is gone: {error.strerror}") from error
    try:
        # Only now: a pid that changed hands before the pidfd was opened had lost its QEMU by then.
        if instance.has_exited:
            raise HostError("QEMU is gone")
        folder = lock.open_directory(directory)
        try:
            held = lock.take(folder, NAME)
        finally:
            os.close(folder)
        if held is None:
            raise HostError("a process waits already to thaw this guest", reason="GuardianThere")
        try:
            return _execute(instance, deadline, qemu, held)
        finally:
            os.close(held)
    finally:
        os.close(qemu)


async def end(directory: Path, child: Child | None) -> None:
    """Nobody is to thaw this guest any more. ``child`` is the one that we started ourselves, if we did."""
    if child is not None:
        child.signal()
        await child.wait()
    await lock.kill_holders(directory, name=NAME)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(directory / NAME)


def waits(directory: Path) -> bool:
    """Whether one is there."""
    return lock.is_held(directory, NAME)


def _execute(instance: Instance, deadline: float, qemu: int, held: int) -> Child:
    words = [
        *(sys.executable, "-I", "-S", thaw.__file__),
        *("--socket", instance.identity.sockets.agent),
        *("--pid", str(instance.pid), "--pidfd", str(qemu), "--deadline", f"{deadline:.3f}"),
    ]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return spawn(
            words, cwd=instance.identity.directory, stdout=null, stderr=null, pass_fds=(qemu, held), env=environment
        )
    except OSError as error:
        raise HostError(f"cannot execute {sys.executable}: {error.strerror}") from error
    finally:
        os.close(null)
