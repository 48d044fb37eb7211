"""``daemon run|status|stop``."""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import signal

from solovirt.cli.context import Context
from solovirt.kit import locations
from solovirt.kit.errors import BadRequest, TimedOut
from solovirt.kit.jsontypes import JsonObject, get_int, get_str

EPILOG = """The daemon is started by the first command that needs it. VMs go on running when it stops or dies; the next
daemon finds them again. examples:
  solovirt daemon status -o json
  solovirt daemon stop
  solovirt daemon run                  in the foreground, for systemd or for a look at its log
"""

STOP_TIMEOUT = 30.0
PYTHONS_OWN = (700, 10, 10)
"""How often the collector looks for cycles: what runs for ever has some, other than a short command."""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("action", choices=("run", "status", "stop"))
    parser.add_argument("-o", "--output", default="", choices=("", "json"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.action == "run":
        from solovirt.kit.paths import from_environment
        from solovirt.server.daemon import run as run_daemon

        gc.set_threshold(*PYTHONS_OWN)
        return run_daemon(from_environment())
    found = status()
    if args.action == "status":
        return show(found, args.output)
    return stop(found)


def status() -> JsonObject:
    """{"running", "pid", "socket", "version", "startedAt"} of this user's daemon, whether or not it runs."""
    runtime = locations.runtime_dir(os.environ, os.geteuid())
    socket = locations.socket_path(os.environ, os.geteuid())
    try:
        with open(os.path.join(runtime, "daemon.json"), encoding="utf-8") as file:
            said: JsonObject = json.load(file)
    except (FileNotFoundError, ValueError):
        said = {}
    alive = bool(said) and lock_is_held()
    return {"running": alive, "socket": socket, **({**said, "socket": socket} if alive else {})}


def lock_is_held() -> bool:
    """The daemon holds the state directory's lock as long as it lives; its pid file alone proves nothing."""
    import fcntl

    path = os.path.join(locations.state_dir(os.environ, os.geteuid()), "daemon.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def show(found: JsonObject, output: str) -> int:
    if output == "json":
        print(json.dumps(found, indent=2))
    elif found["running"]:
        print(f"running: pid {get_int(found, 'pid')}, version {get_str(found, 'version')}, {get_str(found, 'socket')}")
    else:
        print("not running (the next command that needs it starts it; VMs run without it)")
    return 0 if found["running"] else 3


def stop(found: JsonObject) -> int:
    if not found["running"]:
        print("not running")
        return 0
    pid = get_int(found, "pid")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        raise BadRequest(f"process {pid} is gone, yet its lock is held", hint="try again in a moment") from None
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        # The process, not its lock: another daemon may have that already.
        ended, _, _ = select.select([descriptor], [], [], STOP_TIMEOUT)
    finally:
        os.close(descriptor)
    if not ended:
        text = f"the daemon (pid {pid}) did not stop within {STOP_TIMEOUT:g} s"
        raise TimedOut(text, hint=f"kill -9 {pid} harms no VM")
    print("stopped; running VMs go on")
    return 0
