"""A whole solovirt as its users have it: daemon process, command line, API; and a strict look at what is left.

Everything here goes through programs, sockets, /proc and files; nothing of the daemon is imported but its HTTP client.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from solovirt.cli.client import ApiError, Client
from solovirt.cli.endpoint import Endpoint
from solovirt.host import access
from solovirt.host.tiny import build as tiny_build
from solovirt.kit import yaml
from solovirt.kit.errors import SolovirtError, Unavailable
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str
from tests.support.stuckguest import stuck_cpus

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
KUBEVIRT = "/apis/kubevirt.io/v1/namespaces/default"
VMS = f"{KUBEVIRT}/virtualmachines"
VMIS = f"{KUBEVIRT}/virtualmachineinstances"
SUBRESOURCES = "/apis/subresources.kubevirt.io/v1/namespaces/default"
EXTENSIONS = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances"
IMAGES = "/apis/subresources.solovirt.io/v1/images"
CORE = "/api/v1/namespaces/default"
CLAIMS = f"{CORE}/persistentvolumeclaims"
DATA_VOLUMES = "/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes"
REPLICA_SETS = f"{KUBEVIRT}/virtualmachineinstancereplicasets"
POOLS = "/apis/pool.kubevirt.io/v1beta1/namespaces/default/virtualmachinepools"
COLLECTIONS = (POOLS, REPLICA_SETS, VMS, VMIS, DATA_VOLUMES, CLAIMS, f"{CORE}/secrets", f"{CORE}/configmaps")
"""What a test may make, in the order in which it is deleted."""

STUCK_AFTER = 25.0
"""Seconds that a guest has to boot before it is asked whether it still can."""

T = TypeVar("T")


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


def wait_until(condition: Callable[[], T], timeout: float, what: str | Callable[[], object], pause: float = 0.05) -> T:
    """The first true value of ``condition``. Raises AssertionError that says ``what`` did not come."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)


class System:
    """One state directory and one runtime directory, and who serves them.

    ``command`` is what runs solovirt (another user's interpreter, perhaps); ``environ`` is its whole environment.
    """

    def __init__(self, state: Path, runtime: Path, *, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.state, self.runtime = state, runtime
        self.command = list(command)
        self.environ = dict(environ)
        self.client = Client(Endpoint(unix=str(runtime / "solovirt.sock")), warn=False)
        self.process: subprocess.Popen[bytes] | None = None
        self.tolerated_in_log: tuple[str, ...] = ()

    # -- the daemon ------------------------------------------------------------------------------------------------

    def start(self, timeout: float = 60) -> None:
        """Spawn the daemon and wait until it serves."""
        self.spawn()
        self.wait_ready(timeout)

    def spawn(self) -> None:
        with (self.state.parent / "daemon.err").open("ab") as err:
            self.process = subprocess.Popen(
                [*self.command, "daemon", "run"], env=self.environ, stdin=subprocess.DEVNULL, stdout=err, stderr=err
            )

    def wait_ready(self, timeout: float = 60) -> None:
        wait_until(self._is_ready_or_dead, timeout, lambda: f"a daemon that serves:\n{self.daemon_log()[-3000:]}", 0.01)

    def _is_ready_or_dead(self) -> bool:
        assert self.process is None or self.process.poll() is None, f"the daemon ended:\n{self.daemon_log()[-3000:]}"
        try:
            response = self.client.open("GET", "/readyz")
        except SolovirtError:
            return False
        response.read()
        response.close()
        return response.status == 200

    def kill(self) -> None:
        """kill -9 the daemon, and nobody else."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> None:
        """End the daemon in order, however it was started."""
        done = self.cli("daemon", "stop")
        assert done.code == 0, done
        if self.process is not None:
            assert self.process.wait(60) == 0

    def restart(self) -> None:
        self.stop()
        self.start()

    def daemon_log(self) -> str:
        files = [self.state.parent / "daemon.err", *self.state.glob("daemon*.log*")]
        return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())

    # -- its clients -----------------------------------------------------------------------------------------------

    def cli(
        self, *words: str, stdin: bytes = b"", timeout: float = 120, environ: Mapping[str, str] | None = None
    ) -> Done:
        done = subprocess.run(
            [*self.command, *words],
            env={**self.environ, **(environ or {})},
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def ok(self, *words: str, stdin: bytes = b"", timeout: float = 120) -> str:
        """A command that must work: what it printed."""
        done = self.cli(*words, stdin=stdin, timeout=timeout)
        assert done.code == 0, f"solovirt {' '.join(words)} -> {done.code}\n{done.out}\n{done.err}"
        return done.out

    def apply(self, *objects: JsonObject | str) -> str:
        """Manifests (as objects or YAML text) through ``solovirt apply -f -``."""
        texts = [obj if isinstance(obj, str) else yaml.dump(obj) for obj in objects]
        return self.ok("apply", "-f", "-", stdin="\n---\n".join(texts).encode())

    def create(self, collection: str, obj: JsonObject) -> JsonObject:
        return self.client.call("POST", collection, {"fieldValidation": "Strict"}, obj)

    def find(self, collection: str, name: str) -> JsonObject | None:
        try:
            return self.client.get(f"{collection}/{name}")
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def items(self, collection: str) -> list[JsonObject]:
        return [item for item in get_list(self.client.get(collection), "items") if isinstance(item, dict)]

    def delete(self, collection: str, name: str, grace: int | None = 0) -> None:
        """Delete and wait until it is gone. ``grace`` None: as long as the machine's own grace period."""
        body: JsonObject = {} if grace is None else {"gracePeriodSeconds": grace}
        with contextlib.suppress(ApiError):
            self.client.call("DELETE", f"{collection}/{name}", None, body)
        wait_until(lambda: self.find(collection, name) is None, 60, lambda: f"{name} deleted: {self.about(name)}")

    def delete_all(self) -> None:
        for collection in COLLECTIONS:
            self.client.call("DELETE", collection, None, {"gracePeriodSeconds": 0})
        for collection in COLLECTIONS:
            wait_until(
                lambda c=collection: not self.items(c),  # type: ignore[misc]
                60,
                lambda c=collection: f"no object left: {json.dumps(self.items(c))[:3000]}",  # type: ignore[misc]
            )

    # -- machines --------------------------------------------------------------------------------------------------

    def phase(self, name: str) -> str:
        return get_str(get_object(self.find(VMIS, name) or {}, "status"), "phase")

    def printable(self, name: str) -> str:
        return get_str(get_object(self.find(VMS, name) or {}, "status"), "printableStatus")

    def uid(self, name: str) -> str:
        return get_str(get_object(self.find(VMIS, name) or {}, "metadata"), "uid")

    def condition(self, collection: str, name: str, kind: str) -> JsonObject:
        for found in get_list(get_object(self.find(collection, name) or {}, "status"), "conditions"):
            if isinstance(found, dict) and found.get("type") == kind:
                return found
        return {}

    def wait_phase(self, name: str, phase: str, timeout: float = 60) -> None:
        wait_until(lambda: self.phase(name) == phase, timeout, lambda: f"{name} {phase}: {self.about(name)}")

    def wait_printable(self, name: str, status: str, timeout: float = 60) -> None:
        wait_until(lambda: self.printable(name) == status, timeout, lambda: f"{name} {status}: {self.about(name)}")

    def wait_agent(self, name: str, timeout: float = 90) -> None:
        """Until the guest's agent is connected and the seed script, if any, has come to its end."""
        self.wait_boot(name, lambda: self.condition(VMIS, name, "AgentConnected").get("status") == "True", timeout)

    def wait_boot(self, name: str, booted: Callable[[], bool], timeout: float = 90, pause: float = 0.05) -> None:
        """Until ``booted`` finds that the guest is up."""
        look_again = time.monotonic() + STUCK_AFTER

        def is_up() -> bool:
            nonlocal look_again
            if time.monotonic() > look_again:
                look_again += STUCK_AFTER
                self._free_stuck(name)
            return booted()

        wait_until(is_up, timeout, lambda: f"{name} is up: {self.about(name)}", pause)

    def _free_stuck(self, name: str) -> None:
        """Resets a guest that QEMU has lost (``stuckguest``); any other one is left to fail."""
        path = f"{EXTENSIONS}/{name}/qmp"

        def monitor(line: str) -> str:
            command: JsonObject = {"command": "human-monitor-command", "arguments": {"command-line": line}}
            return get_str(self.client.call("POST", path, None, command), "return")

        try:
            stuck = stuck_cpus(monitor)
            if stuck:
                time.sleep(1)
                stuck = [index for index in stuck_cpus(monitor) if index in stuck]
        except SolovirtError:
            return  # no machine to ask
        if stuck:
            print(f"{name}: QEMU has lost an interrupt of vCPU {stuck}; the machine is reset", file=sys.stderr)
            self.ok("reset", name)

    def about(self, name: str) -> str:
        """Everything that explains why a VM is not what it should be."""
        uid = self.uid(name)
        logs = [self.state / "instances" / uid / log for log in ("qemu.log", "serial.log")] if uid else []
        said = [f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs if log.is_file()]
        objects = [json.dumps(self.find(kind, name)) for kind in (VMS, VMIS, DATA_VOLUMES, CLAIMS)]
        return "\n".join([*objects, *said, f"daemon: {self.daemon_log()[-3000:]}"])

    def guest(self, name: str, *command: str, stdin: bytes = b"", timeout: float = 60) -> Done:
        """A program in the guest, through the API."""
        body: JsonObject = {
            "command": list(command),
            "input": base64.b64encode(stdin).decode(),
            "timeoutSeconds": timeout,
        }
        answer = self.client.call("POST", f"{EXTENSIONS}/{name}/exec", None, body)
        out, err = (base64.b64decode(get_str(answer, key)).decode(errors="replace") for key in ("stdout", "stderr"))
        code = answer["exitCode"]
        assert isinstance(code, int)
        return Done(code, out, err)

    def sh(self, name: str, script: str, timeout: float = 60) -> str:
        """A shell script in the guest that must work: what it printed, stripped."""
        done = self.guest(name, "/bin/sh", "-c", script, timeout=timeout)
        assert done.code == 0, f"in {name}: {script} -> {done}"
        return done.out.strip()

    def wait_seed_script(self, name: str) -> None:
        wait_until(
            lambda: self.guest(name, "test", "-e", "/run/user-data.status").code == 0,
            60,
            lambda: f"the end of the user-data script: {self.about(name)}",
            0.3,
        )

    # -- what runs and what lies about -----------------------------------------------------------------------------

    def processes(self) -> dict[int, list[str]]:
        """Every process of this system except its daemon: pid -> words of its command line."""
        marks = [os.fsencode(self.state), os.fsencode(self.runtime)]
        own = {os.getpid(), self.daemon_pid()}
        found: dict[int, list[str]] = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) in own:
                continue
            try:
                line = Path(entry.path, "cmdline").read_bytes()
                seen = line + Path(entry.path, "environ").read_bytes() + os.fsencode(os.readlink(f"{entry.path}/cwd"))
            except OSError:
                continue
            if line and any(mark in seen for mark in marks):
                found[int(entry.name)] = line.decode(errors="replace").split("\0")[:-1]
        return found

    def daemon_pid(self) -> int:
        if self.process is not None and self.process.poll() is None:
            return self.process.pid
        try:
            return int((self.state / "daemon.lock").read_text() or 0)
        except (FileNotFoundError, ValueError):
            return 0

    def qemus(self) -> dict[str, int]:
        """VMI uid -> pid of its QEMU, by the sockets that its command line names."""
        found: dict[str, int] = {}
        for pid, words in self.processes().items():
            if not os.path.basename(words[0]).startswith("qemu-system"):
                continue
            line = "\0".join(words)
            mark = f"{self.runtime}/vmi/"
            if mark in line:
                uid = line.partition(mark)[2].partition("/")[0]
                assert uid not in found, f"two QEMUs of {uid}: {found[uid]} and {pid}"
                found[uid] = pid
        return found

    def qemu(self, name: str) -> int:
        """The pid of a VM's QEMU."""
        return self.qemus()[self.uid(name)]

    def leftovers(self) -> list[str]:
        """What is there although no object is: must be empty."""
        left = [f"process {pid}: {' '.join(words)[:300]}" for pid, words in self.processes().items()]
        left += [str(p) for p in self.state.rglob("*.partial")]
        for folder in (self.state / "instances", self.runtime / "vmi", self.state / "images" / "tmp"):
            left += [str(path) for path in folder.iterdir()] if folder.is_dir() else []
        left += [str(p) for p in (self.state / "volumes").rglob("*") if not p.is_dir()]
        known = {self.runtime / name for name in ("solovirt.sock", "daemon.json", "vmi")}
        left += [str(path) for path in self.runtime.iterdir() if path not in known]
        for path in (*self.state.rglob("*"), *self.runtime.rglob("*")):
            if not path.is_dir() and (grants := access.granted(path)):
                left.append(f"{path} is open to {grants}")
        return left

    def check_clean(self) -> None:
        """The oracle after every test: delete all objects; then nothing may be left, and the log is free of crashes."""
        self.delete_all()
        wait_until(lambda: not self.leftovers(), 60, lambda: "nothing left behind: " + "\n".join(self.leftovers()))
        self.check_log()

    def check_log(self) -> None:
        log = self.daemon_log()
        lines = [line for line in log.splitlines() if not any(word in line for word in self.tolerated_in_log)]
        bad = [n for n, line in enumerate(lines) if "Traceback" in line or "never retrieved" in line]
        assert not bad, "the daemon's log: " + "\n".join(lines[max(0, bad[0] - 3) : bad[0] + 40])

    def end(self) -> None:
        """Stop the daemon; whatever still runs is killed, and that is a failure."""
        done = self.cli("daemon", "stop")
        if self.process is not None and done.code:
            self.process.kill()
        code = self.process.wait(60) if self.process is not None else 0
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert done.code == 0, done
        assert not left, f"processes left: {left}"
        assert code in (0, -signal.SIGKILL), f"the daemon ended with {code}"
        assert not (self.runtime / "solovirt.sock").exists(), "the daemon left its socket"


def folder() -> Path:
    """A short-named directory that every user can pass through but not read."""
    path = Path(tempfile.mkdtemp(prefix="sv-", dir="/var/tmp"))
    path.chmod(0o711)
    return path


def environment(state: Path, runtime: Path, **more: str) -> dict[str, str]:
    """Ours, without what would lead elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SOLOVIRT_") and k != "KUBECONFIG"}
    return {
        **kept,
        "SOLOVIRT_STATE_DIR": str(state),
        "SOLOVIRT_RUNTIME_DIR": str(runtime),
        "SOLOVIRT_ACCEL": "tcg",
        **more,
    }


def local(place: Path, *, hidden: Sequence[str] = (), **environ: str) -> System:
    """A system of the user who runs the tests, in ``place``; not started.

    ``hidden`` programs do not exist for it (root only): each of its processes has mounts of its own.
    """
    state, runtime = place / "state", place / "run"
    command = [sys.executable, "-m", "solovirt"]
    if hidden:
        script = "".join(f"mount --bind /dev/null {path} && " for path in hidden) + 'exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", *command]
    return System(state, runtime, command=command, environ=environment(state, runtime, **environ))


@contextlib.contextmanager
def running(
    *, tiny: tiny_build.TinyImage | None = None, hidden: Sequence[str] = (), **environ: str
) -> Iterator[System]:
    """A system with a started daemon (and solovirt/tiny); afterwards everything of it is gone."""
    place = folder()
    system = local(place, hidden=hidden, **environ)
    try:
        system.start()
        if tiny is not None:
            import_tiny(system, tiny)
        yield system
    finally:
        try:
            system.end()
        finally:
            shutil.rmtree(place)


def build_tiny() -> tiny_build.TinyImage:
    """The guest's files, built once for this checkout and kept until a package or the builder changes."""
    return tiny_build.build(ROOT / ".cache" / "tests" / "tiny")


def import_tiny(system: System, tiny: tiny_build.TinyImage) -> None:
    import_image(system, tiny_build.REFERENCE, tiny_build.image_files(tiny))


def import_image(system: System, reference: str, files: Mapping[str, Path]) -> None:
    """A container image out of files: path in the image -> file here."""
    sources: JsonObject = {path: str(file) for path, file in files.items()}
    body: Json = {"action": "import", "reference": reference, "files": sources}
    lines = list(system.client.stream("POST", IMAGES, None, body))
    assert lines[-1].get("digest"), lines


def is_gone(error: SolovirtError) -> bool:
    """Was it the daemon's death that this request met?"""
    return isinstance(error, Unavailable)
