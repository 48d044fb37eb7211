"""All running machines of this host: start one, find one again, let go of all.

Whatever happens to us between two steps, ``qemu.lock`` tells at the next start whether a QEMU lives
(:mod:`solovirt.hypervisor.lock`): it is locked before QEMU is spawned and dies with it. A launch that fails or is
cancelled leaves no process and no socket.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

from solovirt.hypervisor import helpers, imagelocks, lock, logfile, sockets
from solovirt.hypervisor.helpers import HelperSet
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import Identity, InstanceEvent, Launch
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import Conflict, HostError, TimedOut, Unavailable
from solovirt.kit.process import Child, describe_exit, spawn

log = logging.getLogger(__name__)

SOCKET_TIMEOUT = 10.0
"""Seconds that a QEMU which was being started when we died has to open its monitor's socket."""
GREETING_TIMEOUT = 30.0
"""Seconds that a found QEMU has to answer; it may be busy, and is left alone when it does not."""
_NOT_YET = (FileNotFoundError, ConnectionRefusedError, BlockingIOError)


class Hypervisor:
    """``on_event`` is called in the event loop, in order, and must not block. It may be called before ``launch`` or
    ``adopt`` returns; ``get`` finds the instance by then, and no more at "exited".
    """

    def __init__(self, on_event: Callable[[InstanceEvent], None]) -> None:
        self._on_event = on_event
        self._instances: dict[str, Instance] = {}
        self._helpers: dict[str, HelperSet] = {}
        self._ending = TaskSet("helpers")

    def get(self, uid: str) -> Instance | None:
        return self._instances.get(uid)

    def instances(self) -> list[Instance]:
        return list(self._instances.values())

    async def launch(self, launch: Launch) -> Instance:
        """Start QEMU, wait for its monitor, run the machine (unless ``paused``).

        Raises ``Conflict`` when a QEMU of this instance lives already, ``HostError`` reason "LaunchFailed" with the
        last lines of ``qemu.log``, or of a helper's log, when QEMU or a helper cannot be executed or exits,
        ``TimedOut`` when it does not answer. A launch that raises gives no event.
        """
        if launch.uid in self._instances:
            raise Conflict(f"instance {launch.uid} is running already", reason="AlreadyRunning")
        beside = self._beside(launch.identity)
        try:
            starting = _spawn(launch, beside)
        except BaseException:
            await beside.end()
            raise
        instance = Instance(launch.identity, starting.child, self._emit)
        try:
            connection = await _first_connection(instance, starting.child, launch.timeout)
            await instance.greet(connection, timeout=launch.timeout)
            self._instances[launch.uid] = instance
            self._helpers[launch.uid] = beside
            await instance.begin()
        except BaseException as error:
            self._instances.pop(launch.uid, None)
            self._helpers.pop(launch.uid, None)
            await _undo(instance, starting.child, failed=isinstance(error, Unavailable))
            failure = await beside.failure() if isinstance(error, Unavailable | TimedOut) else None
            await beside.end()
            if failure is not None or isinstance(error, Unavailable):
                raise failure or starting.failure() from error
            raise
        finally:
            os.close(starting.log_fd)
        beside.hide()
        beside.watch()
        return instance

    async def adopt(self, identity: Identity) -> Instance | None:
        """The QEMU of this instance, if one lives; a launch that was cut short is finished.

        None when there is none, and also when what holds the lock is not it: no monitor within 10 s, another user, or
        another machine; that is killed. Raises ``Unavailable`` or ``TimedOut`` when it lives but does not answer now
        (it is left alone: ask again), ``HostError`` when it cannot be found out.
        """
        if (known := self._instances.get(identity.uid)) is not None:
            return known
        child: Child | None = None
        try:
            found = await _find_monitor(identity)
            if found is not None:
                connection, child = found
                return await self._take_over(identity, connection, child)
            if not lock.is_held(identity.directory):
                await self._clear(identity)
                return None
            log.warning("instance %s: its lock is held, but nobody listens on %s", identity.uid, identity.sockets.qmp)
        except HostError as error:
            if error.reason not in ("WrongMachine", "UnsafeSocket"):
                raise
            log.warning("instance %s: %s", identity.uid, error)
        killed = await lock.kill_holders(identity.directory)
        log.warning("instance %s: killed what held its lock: process %s", identity.uid, killed)
        await self._clear(identity)
        return None

    def beside(self, uid: str) -> HelperSet:
        """The programs beside a running instance. Raises ``Unavailable`` when there is no such instance."""
        found = self._helpers.get(uid)
        if found is None:
            raise Unavailable(f"instance {uid} does not run")
        return found

    async def close(self) -> None:
        """Let go of every instance without touching it. No event comes any more."""
        instances, self._instances = self.instances(), {}
        beside, self._helpers = list(self._helpers.values()), {}
        for instance in instances:
            await instance.release()
        for found in beside:
            await found.release()
        await self._ending.close()

    async def _take_over(self, identity: Identity, connection: socket.socket, child: Child) -> Instance | None:
        instance = Instance(identity, child, self._emit)
        beside = self._beside(identity)
        try:
            # Its answer comes after pidfd_open: the process that answers is the one that the pidfd pins.
            await instance.greet(connection, timeout=GREETING_TIMEOUT)
            # Whoever sees the instance from now on may ask which programs it has.
            await beside.find()
            self._instances[identity.uid] = instance
            self._helpers[identity.uid] = beside
            await instance.begin()
        except BaseException as error:
            self._instances.pop(identity.uid, None)
            self._helpers.pop(identity.uid, None)
            await instance.release()
            await beside.release()
            if isinstance(error, Unavailable) and await lock.is_freed(identity.directory, within=1.0):
                await self._clear(identity)
                return None
            raise
        beside.watch()
        return instance

    def _beside(self, identity: Identity) -> HelperSet:
        def told(text: str) -> None:
            self._emit(InstanceEvent(identity.uid, "helper-exited", text))

        return HelperSet(identity.directory, told, lambda: identity.uid in self._instances)

    async def _clear(self, identity: Identity) -> None:
        """What a QEMU that is gone left: its helpers and its sockets."""
        if killed := await helpers.kill_all(identity.directory):
            log.warning("instance %s: killed the helpers of a QEMU that is gone: process %s", identity.uid, killed)
        sockets.remove_all(identity.sockets)

    def _emit(self, event: InstanceEvent) -> None:
        if event.uid not in self._instances:
            return
        if event.kind == "exited":
            del self._instances[event.uid]
            if (beside := self._helpers.pop(event.uid, None)) is not None:
                self._ending.spawn(beside.end(), f"helpers of {event.uid}")
        try:
            self._on_event(event)
        except Exception:
            log.exception("handling %s failed", event)


class _Starting:
    """A QEMU that was just spawned, and where in its log its own words begin."""

    def __init__(self, child: Child, log_fd: int) -> None:
        self.child = child
        self.log_fd = log_fd
        self.log_start = os.fstat(log_fd).st_size

    def failure(self) -> HostError:
        said = logfile.last_lines(self.log_fd, since=self.log_start)
        code = self.child.exit_code
        if locked := imagelocks.explained(said):
            return _launch_failed(locked, "stop who uses it; a raw hostDisk can be shared, with shareable: true")
        return _launch_failed(f"QEMU {describe_exit(code)}" + (f": {said}" if said else " without a word"))


def _launch_failed(message: str, hint: str = "") -> HostError:
    return HostError(message, reason="LaunchFailed", hint=hint)


def _spawn(launch: Launch, beside: HelperSet) -> _Starting:
    """Lock, start the helpers, then spawn; on return QEMU alone holds the lock."""
    try:
        launch.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make {launch.directory}: {error.strerror}") from error
    sockets.make_directories(launch.sockets, launch.run_as)
    directory = lock.open_directory(launch.directory)
    try:
        lock_fd = lock.take(directory)
        if lock_fd is None:
            raise Conflict(f"a QEMU of instance {launch.uid} lives already", reason="AlreadyRunning")
        try:
            sockets.remove_all(launch.sockets)
            if launch.run_as is not None:
                logfile.provide(directory, os.path.basename(launch.sockets.serial_log), launch.run_as)
            log_fd = logfile.open_log(directory)
            try:
                beside.start(launch.helpers, launch.run_as)
                return _Starting(_execute(launch, log_fd, lock_fd), log_fd)
            except BaseException:
                os.close(log_fd)
                raise
        finally:
            os.close(lock_fd)
    finally:
        os.close(directory)


def _execute(launch: Launch, log_fd: int, lock_fd: int) -> Child:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "HOME": str(launch.directory),
        "TMPDIR": str(launch.directory),
    }
    try:
        return spawn(
            launch.argv,
            cwd=launch.directory,
            stdout=log_fd,
            stderr=log_fd,
            run_as=launch.run_as,
            groups=launch.groups,
            pass_fds=(lock_fd,),
            env=environment,
            lock_memory=launch.lock_memory,
        )
    except FileNotFoundError as error:
        hint = "install the package qemu-system-x86"
        raise _launch_failed(f"cannot execute {launch.argv[0]}: {error.strerror}", hint) from error
    except ValueError as error:
        hint = "LimitMEMLOCK=infinity in the daemon's systemd unit"
        raise _launch_failed("QEMU may not lock the guest's memory", hint) from error
    except OSError as error:
        raise _launch_failed(f"cannot execute {launch.argv[0]}: {error.strerror}") from error


async def _undo(instance: Instance, child: Child, *, failed: bool) -> None:
    """Leave nothing of a launch. One that failed by itself gets a moment to exit, so that we see its status."""
    await instance.detach()
    try:
        if failed:
            async with asyncio.timeout(2):
                await child.wait()
    except TimeoutError:
        pass
    child.signal()
    try:
        async with asyncio.timeout(30):
            await child.wait()
    except TimeoutError:
        log.error("instance %s: process %d hangs in the kernel and cannot be killed", instance.uid, child.pid)
        child.release()
    sockets.remove_all(instance.identity.sockets)


async def _first_connection(instance: Instance, child: Child, timeout: float) -> socket.socket:
    """Connect as soon as QEMU listens. Raises ``Unavailable`` when it exits before, ``TimedOut``.

    QEMU opens the socket early and greets once the machine is built, so the polling costs no time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    pause = 0.001
    while not child.has_exited:
        try:
            return instance.connect(instance.identity.sockets.qmp)
        except _NOT_YET:
            pass
        if loop.time() > deadline:
            raise TimedOut(f"QEMU did not open its monitor within {timeout:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, 0.02)
    raise Unavailable("QEMU exited before it opened its monitor")


async def _find_monitor(identity: Identity) -> tuple[socket.socket, Child] | None:
    """Connect to a QEMU that may still be starting, for as long as its lock is held, at most 10 s."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SOCKET_TIMEOUT
    uid = identity.run_as[0] if identity.run_as else sockets.own_uid()
    pause = 0.001
    while lock.is_held(identity.directory):
        try:
            connection, peer = sockets.connect(identity.sockets.qmp, uid=uid)
            try:
                return connection, Child.adopt(peer.pid)
            except BaseException:
                connection.close()
                raise
        except (*_NOT_YET, ProcessLookupError):
            pass
        if loop.time() > deadline:
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return None
