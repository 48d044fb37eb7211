"""The first command starts the daemon; many first commands start one; and why, when it does not start."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import system as systems
from tests.support.system import System, wait_until

pytestmark = pytest.mark.real


@pytest.fixture
def fresh() -> Iterator[System]:
    """Nobody serves it yet."""
    place = systems.folder()
    system = systems.local(place)
    try:
        yield system
    finally:
        for pid in daemons(system):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not daemons(system), 60, lambda: f"no daemon left: {daemons(system)}")
        shutil.rmtree(place)


def daemons(system: System) -> list[int]:
    """Processes whose command is `daemon run`, with this system's directories in their environment."""
    mark = f"SOLOVIRT_STATE_DIR={system.state}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                own = mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if own and b"daemon" in words and b"run" in words:
                found.append(int(entry.name))
    return found


def spawned(system: System) -> int:
    """How many daemons there ever were: each says so in the log."""
    return (system.state / "daemon.log").read_text().count(" serves ")


def at_once(system: System, count: int) -> list[subprocess.CompletedProcess[bytes]]:
    done: list[subprocess.CompletedProcess[bytes]] = []
    barrier = threading.Barrier(count)

    def one() -> None:
        barrier.wait(60)
        command = [*system.command, "get", "ns", "-o", "name"]
        done.append(subprocess.run(command, env=system.environ, capture_output=True, timeout=120))

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_the_first_command_starts_it(fresh: System) -> None:
    assert fresh.cli("daemon", "status").code == 3
    assert fresh.cli("version", "--client").code == 0
    assert daemons(fresh) == [], "what needs no daemon starts none"
    assert fresh.ok("get", "ns", "-o", "name") == "namespace/default\n"
    (pid,) = daemons(fresh)
    assert os.getsid(pid) == pid, "it has a session of its own: ^C and a closed terminal do not reach it"
    assert f"pid {pid}," in fresh.ok("daemon", "status")
    fresh.ok("get", "ns")
    assert daemons(fresh) == [pid]
    assert fresh.ok("daemon", "stop") == "stopped; running VMs go on\n"
    wait_until(lambda: not daemons(fresh), 60, "the end of the daemon")


@pytest.mark.parametrize("count", [2, 8])
def test_many_first_commands_start_one(fresh: System, count: int) -> None:
    done = at_once(fresh, count)
    assert [(d.returncode, d.stdout, d.stderr) for d in done] == [(0, b"namespace/default\n", b"")] * count
    assert len(daemons(fresh)) == 1
    assert spawned(fresh) == 1


def test_many_commands_after_a_kill(fresh: System) -> None:
    """The dead daemon's socket is still there."""
    fresh.ok("get", "ns")
    (pid,) = daemons(fresh)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not daemons(fresh), 60, "the end of the daemon")
    assert {d.returncode for d in at_once(fresh, 4)} == {0}
    assert spawned(fresh) == 2


def test_a_daemon_that_cannot_start_shows_its_reason(fresh: System) -> None:
    fresh.runtime.mkdir()
    (fresh.runtime / "solovirt.sock").write_text("precious")
    began = time.monotonic()
    done = fresh.cli("get", "vm")
    assert done.code == 1
    first, second = done.err.splitlines()
    assert first.startswith("error: the daemon did not start: ") and "is in the way" in first, done
    assert f"its log is {fresh.state}/daemon-start.log" in second
    assert time.monotonic() - began < 30, "nobody waits for one that ended"
    assert (fresh.runtime / "solovirt.sock").read_text() == "precious"
    (fresh.runtime / "solovirt.sock").unlink()
    assert fresh.cli("get", "ns").code == 0, "and the next one tries again"


def test_a_state_directory_that_cannot_be_made(fresh: System) -> None:
    fresh.state.parent.joinpath("file").write_text("")
    done = fresh.cli("get", "vm", environ={"SOLOVIRT_STATE_DIR": f"{fresh.state.parent}/file/state"})
    assert (done.code, done.err.startswith("error: the daemon cannot be started: ")) == (1, True), done
    assert "Not a directory" in done.err


def test_a_watch_does_not_bring_a_stopped_daemon_back(fresh: System) -> None:
    fresh.ok("get", "ns")
    command = [*fresh.command, "get", "ns", "-w"]
    with subprocess.Popen(command, env=fresh.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith(b"NAME")
        fresh.ok("daemon", "stop")
        _, said = watch.communicate(timeout=60)
    assert watch.returncode == 1
    assert said.startswith(b"error: cannot reach unix://"), said
    wait_until(lambda: not daemons(fresh), 60, "no daemon")


def test_a_watch_survives_a_daemon_that_is_replaced(fresh: System) -> None:
    fresh.ok("get", "ns")
    command = [*fresh.command, "get", "cm", "-w", "-o", "name"]
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"
    with subprocess.Popen(command, env=fresh.environ, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        try:
            fresh.apply(config_map.replace("NAME", "one"))
            assert watch.stdout.readline() == b"configmap/one\n"
            (pid,) = daemons(fresh)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: pid not in daemons(fresh), 60, "the end of the daemon")
            fresh.apply(config_map.replace("NAME", "two"))
            assert watch.stdout.readline() == b"configmap/two\n"
        finally:
            watch.send_signal(signal.SIGINT)
        assert watch.wait(60) == 130
