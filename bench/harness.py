"""A daemon of its own for each measurement, an API client, and bare QEMU to compare with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from solovirt.cli.client import Client
from solovirt.cli.endpoint import Endpoint
from solovirt.kit.jsontypes import JsonObject, get_object, get_str

VM = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
VMI = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines"


@dataclass(frozen=True)
class Measure:
    """``bare`` is the same thing without solovirt, in the same unit and run; ``ratio`` is value / bare."""

    name: str
    value: float
    unit: str
    bare: float | None = None
    detail: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.bare if self.bare else None

    def row(self) -> dict[str, object]:
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "bare": None if self.bare is None else round(self.bare, 3),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "detail": self.detail,
        }


class Daemon:
    """One daemon on directories of its own; ``client`` talks to it."""

    def __init__(self, folder: Path) -> None:
        self.state, self.runtime = folder / "state", folder / "run"
        self.environ = {
            **os.environ,
            "SOLOVIRT_STATE_DIR": str(self.state),
            "SOLOVIRT_RUNTIME_DIR": str(self.runtime),
            "SOLOVIRT_ACCEL": os.environ.get("SOLOVIRT_ACCEL", "tcg"),
        }
        self.environ.pop("KUBECONFIG", None)
        # An installed solovirt has its bytecode; without, every process would compile it anew.
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.client = Client(Endpoint(unix=str(self.runtime / "solovirt.sock")))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Spawn it; returns the seconds until it says that it is ready."""
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "solovirt", "daemon", "run"], env=self.environ, stderr=subprocess.DEVNULL
        )
        wait_until(self.ready, 60)
        return time.perf_counter() - began

    def ready(self) -> bool:
        from solovirt.kit.errors import SolovirtError

        try:
            response = self.client.open("GET", "/readyz")
        except SolovirtError:
            return False
        response.read()
        response.close()
        return response.status == 200

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "solovirt", *words], env=self.environ, capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise RuntimeError(f"solovirt {' '.join(words)}: {done.stderr}")
        return done.stdout

    def apply(self, manifest: JsonObject) -> None:
        self.client.call("POST", VM, {"fieldValidation": "Strict"}, manifest)

    def phase(self, name: str) -> str:
        from solovirt.cli.client import ApiError

        try:
            return get_str(get_object(self.client.get(f"{VMI}/{name}"), "status"), "phase")
        except ApiError:
            return ""

    def delete_all(self) -> None:
        from solovirt.kit.jsontypes import get_list

        self.client.call("DELETE", VM, None, {"gracePeriodSeconds": 0})
        wait_until(lambda: not any(get_list(self.client.get(path), "items") for path in (VM, VMI)), 120)


@contextmanager
def daemon(*, image: bool = True) -> Iterator[Daemon]:
    """A running daemon that has solovirt/tiny; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="sv-bench-", dir="/var/tmp"))
    folder.chmod(0o711)
    running = Daemon(folder)
    try:
        running.start()
        if image:
            running.run("image", "build", "tiny")
        yield running
    finally:
        if running.process is not None:
            if running.process.poll() is not None:  # a measurement failed while the daemon was away
                running.start()
            running.delete_all()
            running.process.terminate()
            running.process.wait(30)
        shutil.rmtree(folder)


def wait_until(condition: Callable[[], bool], timeout: float, pause: float = 0.005) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a measurement's condition was not reached")
        time.sleep(pause)


def vm(name: str, *, strategy: str = "Halted", memory: str = "256Mi", disk: bool = True) -> JsonObject:
    devices: JsonObject = {"rng": {}, "interfaces": [{"name": "default", "masquerade": {}}]}
    spec: JsonObject = {
        "domain": {"cpu": {"cores": 1, "maxSockets": 1}, "memory": {"guest": memory}, "devices": devices},
        "networks": [{"name": "default", "pod": {}}],
        "terminationGracePeriodSeconds": 0,
    }
    if disk:
        devices["disks"] = [{"name": "root", "disk": {"bus": "virtio"}}]
        spec["volumes"] = [{"name": "root", "containerDisk": {"image": "solovirt/tiny"}}]
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"runStrategy": strategy, "template": {"spec": spec}},
    }


class BareQemu:
    """The command line of a running VM, on copies of its writable files, without solovirt."""

    def __init__(self, pid: int, running: Daemon) -> None:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        uid = next(p.name for p in (running.runtime / "vmi").iterdir() if any(p.name in w for w in words))
        self._source = running.state / "instances" / uid
        self._folder = Path(tempfile.mkdtemp(prefix="sv-bare-", dir="/var/tmp"))
        swaps = {str(self._source): str(self._folder), str(running.runtime / "vmi" / uid): str(self._folder)}
        for old, new in swaps.items():
            words = [word.replace(old, new) for word in words]
        self.argv = words
        self.qmp = self._folder / "qmp.sock"
        self.agent = self._folder / "agent.sock"

    def prepare(self) -> None:
        for file in self._folder.iterdir():
            file.unlink()
        for file in self._source.iterdir():
            if file.suffix in (".qcow2", ".iso"):
                shutil.copy(file, self._folder / file.name)

    def start(self) -> tuple[subprocess.Popen[bytes], socket.socket, float]:
        """Spawn, negotiate QMP, cont; returns the process, its monitor and the seconds until it said running."""
        began = time.perf_counter()
        process = subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        monitor = connect(self.qmp)
        stream = monitor.makefile("rwb", buffering=0)
        stream.readline()
        for command in ("qmp_capabilities", "cont"):
            stream.write(json.dumps({"execute": command}).encode())
            while "return" not in json.loads(stream.readline()):
                pass
        stream.write(b'{"execute":"query-status"}')
        while True:
            reply = json.loads(stream.readline())
            if get_str(get_object(reply, "return"), "status") == "running":
                return process, monitor, time.perf_counter() - began

    def stop(self, process: subprocess.Popen[bytes], monitor: socket.socket) -> None:
        process.kill()
        process.wait()
        monitor.close()

    def close(self) -> None:
        shutil.rmtree(self._folder)


def connect(path: Path, timeout: float = 30) -> socket.socket:
    deadline = time.monotonic() + timeout
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(path))
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def qemu_pids(running: Daemon) -> list[int]:
    """The QEMU processes of a daemon, by its runtime directory in their command lines."""
    marker = str(running.runtime).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"qemu" in line.split(b"\0")[0] and marker in line:
                found.append(int(entry.name))
    return found


def rss_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000
