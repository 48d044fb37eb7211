"""Start the daemon when a command needs it and it is not there.

Two commands may do this at once: both daemons race for the state directory's lock, one wins, the other leaves; both
commands then find the winner's socket.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from solovirt.kit import locations
from solovirt.kit.errors import Unavailable

START_TIMEOUT = 20.0


def start_daemon(socket_path: str) -> None:
    """Spawn ``solovirt daemon run`` in its own session and wait until its socket answers.

    Raises Unavailable with the last lines of the daemon's log when it does not come up.
    """
    state = locations.state_dir(os.environ, os.geteuid())
    os.makedirs(state, mode=0o700, exist_ok=True)
    log = os.path.join(state, "daemon-start.log")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
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
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if _answers(socket_path):
            return
        if child.poll() is not None and not _answers_soon(socket_path):
            break
        time.sleep(0.02)
    raise Unavailable(f"the daemon did not start: {_tail(log)}", hint=f"its log is {log}; try `solovirt daemon run`")


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _answers_soon(path: str) -> bool:
    """Our daemon lost the race for the lock: the winner's socket comes within moments."""
    for _ in range(100):
        if _answers(path):
            return True
        time.sleep(0.05)
    return False


def _tail(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = log.read().strip().splitlines()
    except OSError as error:
        return f"no log: {error.strerror}"
    return " / ".join(lines[-3:]) or "it said nothing"
