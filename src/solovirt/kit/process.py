"""Processes that outlive us: spawned into their own session, held by pidfd, never signalled by bare pid.

A pid may be reused between the moment it is learned and the moment it is used; a pidfd cannot. The same ``Child``
serves for a process that we started (exit status known) and for one that an earlier run of ours started (exit status
None). Nothing here knows what the process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path


class Child:
    """One process. Made by :func:`spawn` or :meth:`adopt`, inside a running event loop.

    ``await wait()`` gives the exit status: 0-255, minus the signal's number, or None when the process was not our
    child. ``release()`` lets go of a process that still runs.
    """

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.exit_code: int | None = None
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(pidfd, self._on_exit)

    @classmethod
    def adopt(cls, pid: int) -> Child:
        """Hold a process that is not (or not any more) our child. Raises ``ProcessLookupError`` when there is none.

        The caller must make sure afterwards, by something that only the right process can do, that the pid was not
        reused before this call.
        """
        return cls(pid, os.pidfd_open(pid))

    @property
    def has_exited(self) -> bool:
        return self._exited.done()

    async def wait(self) -> int | None:
        """The exit status, once the process is gone. Raises ``asyncio.CancelledError`` when it is released before."""
        await asyncio.shield(self._exited)
        return self.exit_code

    def signal(self, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal; False if the process is gone already."""
        if self.pidfd < 0:
            return False
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return False
        return True

    def is_alive(self) -> bool:
        """Whether the process exists at this very moment, be it as a zombie: as long as it does, its pid is its own."""
        try:
            signal.pidfd_send_signal(self.pidfd, 0)
        except (OSError, ValueError):
            return False
        return True

    def release(self) -> None:
        """Stop watching. The process is left as it is; a waiter is cancelled."""
        self._exited.cancel()
        self._close()

    def _on_exit(self) -> None:
        try:
            result = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            result = None
        if result is not None:
            exited = result.si_code == os.CLD_EXITED
            self.exit_code = result.si_status if exited else -result.si_status
        self._close()
        if not self._exited.done():
            self._exited.set_result(None)

    def _close(self) -> None:
        if self.pidfd >= 0:
            self._loop.remove_reader(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = -1


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    stdout: int,
    stderr: int,
    run_as: tuple[int, int] | None = None,
    groups: Sequence[int] = (),
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    lock_memory: bool = False,
) -> Child:
    """Start ``argv`` in a session of its own, stdin from /dev/null, umask 077, no other file descriptor than given.

    ``run_as`` is (uid, gid): the process gets these, and of supplementary groups only ``gid`` and ``groups``. With
    ``lock_memory`` there is no limit to the memory that it may keep from being swapped; raises ``ValueError`` or
    ``OSError`` where we may not give it that. Returns when the
    program was executed; raises ``OSError`` (``FileNotFoundError``, ``PermissionError``) when it could not be.
    It is one blocking step of about a millisecond, on purpose: there is no moment at which a cancelled caller would
    lose a process that was just born.
    """
    user, group, extra = None, None, None
    if run_as is not None:
        user, group = run_as
        # Not an empty list: CPython 3.12.0 takes that for "keep the groups" (gh-112334).
        extra = [group, *groups]
    with _lockable(lock_memory):
        popen = subprocess.Popen(
            list(argv),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=extra,
            umask=0o077,
            pass_fds=tuple(pass_fds),
            env=None if env is None else dict(env),
        )
    # We reap by pidfd. A Popen that believes its child to be unreaped would wait for it behind our back when it is
    # garbage-collected.
    popen.returncode = 0
    try:
        return Child(popen.pid, os.pidfd_open(popen.pid))
    except OSError:
        # Out of file descriptors. It is our unreaped child, so its pid cannot have been reused.
        os.kill(popen.pid, signal.SIGKILL)
        os.waitpid(popen.pid, 0)
        raise


@contextlib.contextmanager
def _lockable(wanted: bool) -> Iterator[None]:
    """Limits are inherited, so ours is lifted for the moment of a birth: nothing runs between fork and exec."""
    if not wanted:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)


class Brood:
    """The children of processes as they were when they were looked up, held by pidfds, to be killed later.

    For a program that forks and whose child, which a stranger may have taken over, ignores that its parent is gone.
    Blocks: reads /proc.
    """

    def __init__(self, parents: Iterable[Child]) -> None:
        self._held: list[int] = []
        for parent in parents:
            for pid in _children(parent.pid):
                try:
                    held = os.pidfd_open(pid)
                except OSError:
                    continue
                # Asked again now that the pidfd pins it: both pids may have changed hands since they were read.
                if pid in _children(parent.pid) and parent.is_alive():
                    self._held.append(held)
                else:
                    os.close(held)

    def kill(self) -> None:
        """SIGKILL to those that still live. Lets go of them."""
        held, self._held = self._held, []
        for descriptor in held:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


def _children(pid: int) -> set[int]:
    """Of all threads of a process (proc(5), /proc/<pid>/task/<tid>/children)."""
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found |= set(map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split()))
    except OSError:
        return found
    return found


def describe_exit(code: int | None) -> str:
    """ "exited with code 1", "was killed by SIGKILL", "exited"."""
    if code is None:
        return "exited"
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
