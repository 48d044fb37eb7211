"""Start the daemon when a command needs it and it is not there.

Commands that find no daemon at the same moment queue for a lock: the first starts it, the others find its socket. A
daemon that somebody starts by hand meanwhile wins or loses the race for its own lock; any winner will do.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time

from solovirt.kit import locations
from solovirt.kit.errors import Unavailable

START_TIMEOUT = 60.0
OTHERS_TIMEOUT = 30.0
"""Seconds for a daemon that was not started here, but holds the lock, to open its socket."""
TELL_AFTER = 1.0
LOG_LIMIT = 1 << 20


def start_daemon(socket_path: str) -> None:
    """Spawn ``solovirt daemon run`` in a session of its own and wait until its socket answers.

    Raises Unavailable with what the daemon said when it does not come up.
    """
    state = locations.state_dir(os.environ, os.geteuid())
    try:
        os.makedirs(state, mode=0o700, exist_ok=True)
        lock = os.open(
            os.path.join(state, "autostart.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise Unavailable(f"the daemon cannot be started: {error.filename}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _answers(socket_path):
            _start(socket_path, os.path.join(state, "daemon-start.log"))
    finally:
        os.close(lock)


def _start(socket_path: str, log: str) -> None:
    """While we hold the lock, so that the end of the log is our daemon's own."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(log, flags, 0o600)
    except OSError as error:
        raise Unavailable(f"the daemon cannot be started: {log}: {error.strerror}") from error
    try:
        before = os.fstat(descriptor).st_size
        if before > LOG_LIMIT:
            os.ftruncate(descriptor, 0)
            before = 0
        child = subprocess.Popen(
            [sys.executable, "-m", "solovirt", "daemon", "run"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd="/",
        )
    finally:
        os.close(descriptor)
    if _comes_up(socket_path, child):
        return
    hint = f"its log is {log}; `solovirt daemon run` shows it in the foreground"
    if child.poll() is None:
        raise Unavailable(f"the daemon (pid {child.pid}) does not answer after {START_TIMEOUT:g} s", hint=hint)
    raise Unavailable(f"the daemon did not start: {_said(log, before)}", hint=hint)


def _comes_up(socket_path: str, child: subprocess.Popen[bytes]) -> bool:
    began = time.monotonic()
    told = False
    while time.monotonic() - began < START_TIMEOUT:
        if _answers(socket_path):
            return True
        if child.poll() is not None:
            return _anothers(socket_path)
        if not told and time.monotonic() - began > TELL_AFTER and os.isatty(2):
            print("starting the daemon ...", file=sys.stderr, flush=True)
            told = True
        time.sleep(0.02)
    return False


def _anothers(socket_path: str) -> bool:
    """Our daemon left. If that is because another one was there first, its socket comes within moments."""
    from solovirt.cli.commands.daemon import lock_is_held

    deadline = time.monotonic() + OTHERS_TIMEOUT
    while lock_is_held() and time.monotonic() < deadline:
        if _answers(socket_path):
            return True
        time.sleep(0.02)
    return _answers(socket_path)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _said(path: str, start: int) -> str:
    """The last lines of this attempt."""
    try:
        with open(path, "rb") as log:
            log.seek(start)
            lines = log.read(LOG_LIMIT).decode("utf-8", "replace").strip().splitlines()
    except OSError as error:
        return f"no log: {error.strerror}"
    return " / ".join(line.removeprefix("solovirt daemon: ") for line in lines[-3:]) or "it said nothing"
