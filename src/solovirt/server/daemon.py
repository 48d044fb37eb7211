"""The daemon's life: lock, directories, store, controllers, API; and the way back.

Stopping it, by a signal or by ``kill -9``, never stops a VM: the next daemon finds them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from solovirt import __version__
from solovirt.controllers import shipped
from solovirt.controllers.manager import Manager
from solovirt.host import facts
from solovirt.kit import json, timestamps
from solovirt.kit.errors import SolovirtError
from solovirt.kit.paths import Paths
from solovirt.server import app, directories, listening, logging_setup, systemd
from solovirt.server.imagecache import ImageCache
from solovirt.server.lifetime import Lifetime
from solovirt.server.lock import DaemonLock
from solovirt.server.webserver import WebServer
from solovirt.store.objects import Objects

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run(paths: Paths) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP. 0 after an orderly end, 1 after one clear message on stderr."""
    os.umask(0o077)
    _raise_descriptor_limit()
    try:
        directories.prepare(paths, os.geteuid())
        lock = DaemonLock.acquire(paths.lock, served=paths.socket.exists)
    except SolovirtError as error:
        print(f"solovirt daemon: {error}", file=sys.stderr)
        return 1
    try:
        logging_setup.set_up(paths.log, os.environ.get("SOLOVIRT_LOG", "INFO").upper())
        asyncio.run(_life(paths))
    except SolovirtError as error:
        log.debug("the daemon failed", exc_info=error)
        print(f"solovirt daemon: {error}", file=sys.stderr)
        return 1
    except Exception:
        log.exception("the daemon ends on a defect; running VMs go on")
        return 1
    finally:
        logging_setup.tear_down()
        lock.release()
    return 0


def _raise_descriptor_limit() -> None:
    """Each machine and each watch takes a few; the usual soft limit of 1024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _life(paths: Paths) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    try:
        async with _opened(paths) as objects, _managed(paths, objects) as manager:
            if not stopping.is_set():
                await _serve(paths, objects, manager, stopping)
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _opened(paths: Paths) -> AsyncIterator[Objects]:
    objects = await asyncio.to_thread(Objects.open, paths.database)
    try:
        yield objects
    finally:
        await objects.close()


@contextlib.asynccontextmanager
async def _managed(paths: Paths, objects: Objects) -> AsyncIterator[Manager]:
    manager = Manager(paths, objects, await facts.probe(paths))
    try:
        await shipped.write(objects)
        await manager.start()
        yield manager
    finally:
        await manager.stop()


async def _serve(paths: Paths, objects: Objects, manager: Manager, stopping: asyncio.Event) -> None:
    """From the moment that clients can connect until the last answer has ended."""
    lifetime = Lifetime()
    server = WebServer(app.build(objects, manager.operations, ImageCache(manager.images), lifetime=lifetime))
    given = listening.inherited(os.environ, os.getpid())
    sockets = given or [listening.listen(paths.socket)]
    state = paths.runtime / "daemon.json"
    await asyncio.to_thread(_write_state, state, str(sockets[0].getsockname()))
    serving = asyncio.create_task(server.run_on(sockets))
    waiting = asyncio.create_task(stopping.wait())
    try:
        _settle_memory()
        systemd.notify("READY=1", os.environ)
        log.info("solovirt %s serves %s, pid %d", __version__, sockets[0].getsockname(), os.getpid())
        logging_setup.leave_start_log(paths.start_log)
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        systemd.notify("STOPPING=1", os.environ)
        log.info("stopping; running VMs go on")
    finally:
        waiting.cancel()
        if not given:
            # Before the server closes it: whoever connects from now on shall start a new daemon, not wait for us.
            paths.socket.unlink(missing_ok=True)
        lifetime.end()
        server.stop()
        state.unlink(missing_ok=True)
        await serving


def _write_state(path: Path, socket: str) -> None:
    """daemon.json: who serves here, for `solovirt daemon status`. Replaced whole."""
    value = {"pid": os.getpid(), "socket": socket, "version": __version__, "startedAt": timestamps.now()}
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        file.write(json.encode(value))
    new.replace(path)


def _settle_memory() -> None:
    """What was made until now stays for good: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
