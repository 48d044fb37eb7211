"""The daemon as a process of its own: one at a time, killed and started again, stopped by signals."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solovirt.server import listening
from tests.unit.server.manifests import MAPS, config_map

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0


class Daemon:
    """One process and its unix socket."""

    def __init__(self, folder: Path, *, pass_fds: tuple[int, ...] = (), **environ: str) -> None:
        self.runtime, self.state = folder / "run", folder / "state"
        self.socket = self.runtime / "solovirt.sock"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lone_daemon"],
            cwd=ROOT,
            env={
                **os.environ,
                "SOLOVIRT_STATE_DIR": str(self.state),
                "SOLOVIRT_RUNTIME_DIR": str(self.runtime),
                **environ,
            },
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
        )

    def request(self, method: str, target: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        try:
            connection.sock.connect(str(self.socket))
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready(self) -> Daemon:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.end()
            try:
                if self.request("GET", "/readyz") == (200, b"ok"):
                    return self
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        raise AssertionError("the daemon does not answer")

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Exit status and stderr, after ``number`` was sent."""
        if number is not None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err.decode()


Start = Callable[..., Daemon]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    made: list[Daemon] = []

    def begin(**more: object) -> Daemon:
        made.append(Daemon(folder, **more))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for daemon in made:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.process.communicate()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_modes(start: Start) -> None:
    daemon = start().ready()
    wanted = 0o711 if os.geteuid() == 0 else 0o700
    assert (mode(daemon.state), mode(daemon.runtime)) == (wanted, wanted)
    assert mode(daemon.socket) == 0o600
    for private in ("solovirt.db", "daemon.log", "daemon.lock"):
        assert mode(daemon.state / private) & 0o077 == 0
    said = json.loads((daemon.runtime / "daemon.json").read_text())
    assert said["pid"] == daemon.process.pid and said["socket"] == str(daemon.socket)
    assert said["version"] and said["startedAt"].endswith("Z")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_orderly_end(start: Start, number: int) -> None:
    daemon = start().ready()
    watch = socket.socket(socket.AF_UNIX)
    watch.settimeout(PATIENCE)
    watch.connect(str(daemon.socket))
    watch.sendall(f"GET {MAPS}?watch=true HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 200 " in watch.recv(65536)
    began = time.monotonic()
    code, err = daemon.end(number)
    assert code == 0, err
    assert time.monotonic() - began < 30
    tail = b""
    while data := watch.recv(65536):
        tail += data
    assert tail.endswith(b"0\r\n\r\n")
    watch.close()
    assert not daemon.socket.exists() and not (daemon.runtime / "daemon.json").exists()
    assert "Traceback" not in err
    assert "running VMs go on" in (daemon.state / "daemon.log").read_text()


def test_two_daemons(start: Start) -> None:
    first = start().ready()
    code, err = start().end()
    assert code == 1
    assert f"another solovirt daemon (pid {first.process.pid}) already serves {first.state}" in err
    assert err.count("\n") == 1
    assert first.request("GET", "/healthz") == (200, b"ok")


def test_one_after_the_other(start: Start) -> None:
    """Whoever comes while the first is stopping takes over, and is not turned away."""
    first = start().ready()
    first.process.send_signal(signal.SIGTERM)
    while first.socket.exists():
        time.sleep(0.002)
    second = start().ready()
    assert first.end()[0] == 0
    assert second.request("GET", "/healthz") == (200, b"ok")


def test_killed_and_started_again(start: Start) -> None:
    first = start().ready()
    versions = []
    for index in range(3):
        code, body = first.request("POST", MAPS, config_map(f"m{index}"))
        assert code == 201
        versions.append(json.loads(body)["metadata"]["resourceVersion"])
    first.end(signal.SIGKILL)
    assert first.socket.exists()
    second = start().ready()
    _, body = second.request("GET", MAPS)
    assert [item["metadata"]["resourceVersion"] for item in json.loads(body)["items"]] == versions
    said = json.loads((second.runtime / "daemon.json").read_text())
    assert said["pid"] == second.process.pid


def test_a_start_that_fails_says_why(start: Start) -> None:
    daemon = start(TEST_FAIL="1")
    code, err = daemon.end()
    assert (code, err.splitlines()[-1]) == (1, "solovirt daemon: nothing works here (try another host)")
    assert "Traceback" not in err
    assert not daemon.socket.exists()


def test_something_in_the_way_of_the_socket(start: Start, folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "solovirt.sock").write_text("precious")
    code, err = start().end()
    assert code == 1 and "is in the way" in err
    assert (folder / "run" / "solovirt.sock").read_text() == "precious"


def test_systemd(start: Start, folder: Path) -> None:
    """Socket activation and readiness."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(folder / "notify"))
    receiver.settimeout(PATIENCE)
    (folder / "run").mkdir()
    given = listening.listen(folder / "run" / "solovirt.sock")
    try:
        daemon = start(
            pass_fds=(given.fileno(),),
            NOTIFY_SOCKET=str(folder / "notify"),
            LISTEN_FDS="1",
            TEST_LISTEN=str(given.fileno()),
        )
        assert receiver.recv(100) == b"READY=1"
        assert daemon.ready().request("GET", "/healthz") == (200, b"ok")
        code, err = daemon.end(signal.SIGTERM)
        assert code == 0, err
        assert receiver.recv(100) == b"STOPPING=1"
        assert daemon.socket.exists()
    finally:
        given.close()
        receiver.close()


def test_idle_memory_and_cpu(start: Start) -> None:
    daemon = start().ready()
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert resident < 60 * 1024, f"{resident} KiB"
    assert _comes_to_rest(daemon.process.pid), "the daemon used CPU time in every second of 30"


def _comes_to_rest(pid: int) -> bool:
    """Whether a whole second passes without CPU time: what starts along with the daemon ends at some time, a poll
    or a loop that does not sleep never does."""
    ticks = Path(f"/proc/{pid}/stat")
    for _ in range(30):
        before = ticks.read_text().rsplit(")", 1)[1].split()[11:13]
        time.sleep(1)
        if ticks.read_text().rsplit(")", 1)[1].split()[11:13] == before:
            return True
    return False


def test_as_many_descriptors_as_it_may_have(start: Start) -> None:
    """A hundred machines and their watchers need more than the usual soft limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, soft), hard))
    try:
        daemon = start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    daemon.ready()
    assert resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_the_start_log_is_left_alone_once_it_serves(tmp_path: Path) -> None:
    start, own = tmp_path / "daemon-start.log", tmp_path / "daemon.log"
    script = (
        "import logging, sys; from pathlib import Path; from solovirt.server import logging_setup\n"
        f"logging_setup.set_up(Path({str(own)!r}), 'INFO')\n"
        "logging.info('before')\n"
        f"logging_setup.leave_start_log(Path({str(start)!r}))\n"
        "logging.info('after'); print('after', flush=True); print('after', file=sys.stderr)\n"
    )
    with start.open("wb") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, stderr=out, check=True, timeout=60)
    assert "before" in start.read_text() and "after" not in start.read_text()
    assert "after" in own.read_text()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.count("after") == 2, "another stderr stays"
