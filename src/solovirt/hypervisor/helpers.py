"""The programs beside one QEMU (swtpm, virtiofsd): started before it, watched with it, ended with it.

Each has a socket that we bind and that it inherits listening, so that QEMU finds it whether the program is ready or
not; a log of its own; and a lock, as QEMU has (:mod:`solovirt.hypervisor.lock`), by which it is found again after a
restart of ours. The lock's file goes once the end of the program was told, so that it is told once. Nothing here knows
what the programs do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from solovirt.hypervisor import lock, logfile
from solovirt.hypervisor.model import Helper
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import HostError
from solovirt.kit.process import Brood, Child, describe_exit, spawn

log = logging.getLogger(__name__)

FD = "@fd@"
"""In a helper's arguments: the number of its socket."""
PATIENCE = 2.0
"""Seconds that a helper has to go by itself, once QEMU has hung up on it."""
SETTLE = 0.5
"""Seconds in which a helper that ends because QEMU ended is not mistaken for one that died."""
_ENDING = ".lock"


@dataclass(slots=True)
class _Running:
    name: str
    child: Child
    log_start: int = 0
    hint: str = ""


class HelperSet:
    """The helpers of one instance. ``on_exit`` is told, in one sentence, when one ends while QEMU goes on; ``alive``
    says whether QEMU does.
    """

    def __init__(self, directory: Path, on_exit: Callable[[str], None], alive: Callable[[], bool]) -> None:
        self._directory = directory
        self._on_exit = on_exit
        self._alive = alive
        self._running: list[_Running] = []
        self._tasks = TaskSet("helpers")
        self._sockets: list[str] = []
        self._ended: list[str] = []

    def start(self, helpers: Sequence[Helper], run_as: tuple[int, int] | None) -> None:
        """Starts all of them. Raises ``HostError`` reason "LaunchFailed"; what was started then is still to be ended.

        All sockets are bound before the first program runs, which may write to their directory.
        """
        with contextlib.ExitStack() as opened:
            bound = []
            for helper in helpers:
                listener = opened.enter_context(_listening(helper, run_as))
                self._sockets.append(helper.socket)
                bound.append((helper, listener))
            for helper, listener in bound:
                self._running.append(_start(helper, listener, self._directory, run_as))

    def names(self) -> set[str]:
        """Those that live, as far as is known."""
        return {running.name for running in self._running}

    def add(self, helper: Helper, run_as: tuple[int, int] | None) -> None:
        """One more while QEMU runs, watched from now on. Its socket is there until ``hide``. Raises as ``start``."""
        with _listening(helper, run_as) as listener:
            self._sockets.append(helper.socket)
            running = _start(helper, listener, self._directory, run_as)
            self._running.append(running)
        self._tasks.spawn(self._watch(running), f"helper {running.name}")

    def watch(self) -> None:
        """From now on a helper that ends is told; also one that ``find`` did not find alive."""
        ended, self._ended = self._ended, []
        for name in ended:
            self._tell(name, "ended while no daemon was there", 0)
        for running in self._running:
            self._tasks.spawn(self._watch(running), f"helper {running.name}")

    def hide(self) -> None:
        """Removes the sockets, once QEMU is connected: nobody else is to be."""
        for path in self._sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self._sockets.clear()

    async def find(self) -> None:
        """Those that an earlier run of ours started."""
        for name in await asyncio.to_thread(names, self._directory):
            path = self._directory / (name + _ENDING)
            found = await _holders(path)
            if found:
                self._running.append(_Running(name, found[0]))
                for other in found[1:]:
                    other.release()
            elif not lock.is_held(self._directory, path.name):
                self._ended.append(name)

    async def failure(self) -> HostError | None:
        """Why a launch failed, if it was for one of the helpers: its last words. One that lost QEMU exits with 0."""
        waiting = [asyncio.ensure_future(running.child.wait()) for running in self._running]
        if waiting:
            await asyncio.wait(waiting, timeout=SETTLE, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        for running in self._running:
            if running.child.has_exited and running.child.exit_code != 0:
                words = _words(self._directory, running.name, running.log_start)
                text = f"{running.name} {describe_exit(running.child.exit_code)}"
                return _failed(text + (f": {words}" if words else " without a word"), running.hint)
        return None

    async def end(self) -> None:
        """QEMU is gone or will not be: they go, too, and leave neither sockets nor locks.

        Having lost QEMU they end by themselves; what has not in 2 s, or when the caller is cancelled, is killed.
        A virtiofsd serves the guest from a child of its own, which may no longer do what its parent says.
        """
        running, self._running = self._running, []
        try:
            await self._end(running)
        finally:
            self.hide()

    async def remove(self, name: str) -> None:
        """One of them, which QEMU has no use for any more; it goes as in ``end``, and its end is not told."""
        leaving = [running for running in self._running if running.name == name]
        self._running = [running for running in self._running if running.name != name]
        await self._end(leaving)
        if not leaving:
            await _kill(self._directory, name)

    async def _end(self, running: list[_Running]) -> None:
        brood = Brood(one.child for one in running)
        try:
            if running:
                waiting = [asyncio.ensure_future(one.child.wait()) for one in running]
                for one in running:
                    one.child.signal(signal.SIGTERM)
                await asyncio.wait(waiting, timeout=PATIENCE)
        finally:
            for one in running:
                one.child.signal()
                if not one.child.has_exited:
                    log.info("%s: %s was killed", self._directory.name, one.name)
            brood.kill()
            for one in running:
                _forget(self._directory, one.name)

    async def release(self) -> None:
        """Lets go of them; they go on."""
        await self._tasks.close()
        for running in self._running:
            running.child.release()
        self._running.clear()

    async def _watch(self, running: _Running) -> None:
        code = await running.child.wait()
        await asyncio.sleep(SETTLE)
        if running in self._running and self._alive():
            self._running.remove(running)
            self._tell(running.name, describe_exit(code), running.log_start)

    def _tell(self, name: str, what: str, since: int) -> None:
        words = _words(self._directory, name, since).replace("\n", " | ")
        _forget(self._directory, name)
        self._on_exit(f"{name} {what}" + (f": {words}" if words else ""))


def names(directory: Path) -> list[str]:
    """Helpers that were started in an instance's directory and whose end was not told yet."""
    try:
        found = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    return [name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING) and name != lock.NAME]


async def kill_all(directory: Path) -> list[int]:
    """SIGKILL whatever is left of the helpers of an instance; the pids. Raises as ``lock.kill_holders``."""
    killed: list[int] = []
    for name in await asyncio.to_thread(names, directory):
        killed += await _kill(directory, name)
    return killed


async def _kill(directory: Path, name: str) -> list[int]:
    """SIGKILL whoever holds a helper's lock, and its children; then the lock is forgotten."""
    found = await _holders(directory / (name + _ENDING))
    brood = Brood(found)
    for child in found:
        child.release()
    killed = await lock.kill_holders(directory, name=name + _ENDING)
    brood.kill()
    _forget(directory, name)
    return killed


async def _holders(path: Path) -> list[Child]:
    """Who holds a helper's lock; the first is the one that was started, others are its children."""
    found: list[Child] = []
    for pid in sorted(await asyncio.to_thread(lock.holders, path)):
        with contextlib.suppress(ProcessLookupError):
            found.append(Child.adopt(pid))
    # Asked again now that pidfds pin them: the pids may have changed hands since the search.
    still = set(await asyncio.to_thread(lock.holders, path)) if found else set()
    for child in found:
        if child.pid not in still:
            child.release()
    return [child for child in found if child.pid in still]


@contextlib.contextmanager
def _listening(helper: Helper, run_as: tuple[int, int] | None) -> Iterator[socket.socket]:
    """The helper's socket, which the machine's user may connect to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        try:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(os.lstat(helper.socket).st_mode):
                    os.unlink(helper.socket)
            listener.bind(helper.socket)
            if run_as is not None:
                os.chown(helper.socket, *run_as, follow_symlinks=False)
            listener.listen(1)
        except OSError as error:
            raise _failed(f"cannot listen on {helper.socket} for {helper.name}: {error.strerror}") from error
        yield listener
    finally:
        listener.close()


def _start(helper: Helper, listener: socket.socket, directory: Path, run_as: tuple[int, int] | None) -> _Running:
    folder = lock.open_directory(directory)
    try:
        lock_fd = lock.take(folder, helper.name + _ENDING)
        if lock_fd is None:
            raise _failed(f"a {helper.name} of this instance lives already")
        try:
            log_fd = logfile.open_log(folder, f"{helper.name}.log")
            try:
                since = os.fstat(log_fd).st_size
                child = _execute(helper, listener, lock_fd, log_fd, directory, run_as)
                return _Running(helper.name, child, since, helper.hint)
            except HostError:
                _forget(directory, helper.name)
                raise
            finally:
                os.close(log_fd)
        finally:
            os.close(lock_fd)
    finally:
        os.close(folder)


def _execute(
    helper: Helper, listener: socket.socket, lock_fd: int, log_fd: int, directory: Path, run_as: tuple[int, int] | None
) -> Child:
    number = listener.fileno()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(directory)}
    try:
        return spawn(
            [word.replace(FD, str(number)) for word in helper.argv],
            cwd=directory,
            stdout=log_fd,
            stderr=log_fd,
            run_as=None if helper.confines_itself else run_as,
            pass_fds=(number, lock_fd),
            env=environment,
        )
    except OSError as error:
        hint = f"apt install {helper.package}" if helper.package else ""
        raise _failed(f"cannot execute {helper.argv[0]}: {error.strerror}", hint) from error


def _words(directory: Path, name: str, since: int) -> str:
    """The last lines of a helper's log."""
    try:
        fd = os.open(directory / f"{name}.log", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return logfile.last_lines(fd, since=min(since, os.fstat(fd).st_size))
    finally:
        os.close(fd)


def _forget(directory: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(directory / (name + _ENDING))


def _failed(text: str, hint: str = "") -> HostError:
    return HostError(text, reason="LaunchFailed", hint=hint)
