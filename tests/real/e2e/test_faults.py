"""What goes wrong on a host: QEMU dies, two daemons, a full disk, a damaged database."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support import system as systems
from tests.support.manifests import claim, disk, small, tiny_disk, vm
from tests.support.system import CLAIMS, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real


@pytest.fixture
def fresh() -> Iterator[System]:
    """Directories for a system whose daemon is not started yet."""
    place = systems.folder()
    system = systems.local(place)
    try:
        yield system
    finally:
        system.end()
        shutil.rmtree(place)


def test_a_qemu_that_dies_is_seen_at_once_and_started_again(system: System) -> None:
    system.apply(small("mortal"))
    system.wait_printable("mortal", "Paused")
    uid = system.uid("mortal")
    began = time.monotonic()
    os.kill(system.qemu("mortal"), signal.SIGKILL)
    wait_until(lambda: system.uid("mortal") != uid or system.phase("mortal") == "Failed", 60, "the death seen", 0.005)
    assert time.monotonic() - began < 10, "seen at once, not by a poll"
    wait_until(lambda: system.printable("mortal") == "CrashLoopBackOff", 60, lambda: system.about("mortal"), 0.01)
    wait_until(lambda: system.uid("mortal") not in ("", uid), 60, lambda: f"a restart: {system.about('mortal')}")
    system.wait_printable("mortal", "Paused")
    events = system.ok("get", "events")
    assert "signal 9" in events or "SIGKILL" in events, events


def test_run_strategies_after_a_crash(system: System) -> None:
    """RerunOnFailure starts again; Once and Manual do not, and only Manual is started by hand."""
    for strategy in ("RerunOnFailure", "Once", "Manual"):
        system.apply(small(strategy.lower(), strategy=strategy))
    time.sleep(0.3)
    assert system.find(VMIS, "manual") is None
    system.ok("start", "manual")
    uids = {}
    for name in ("rerunonfailure", "once", "manual"):
        system.wait_printable(name, "Paused")
        uids[name] = system.uid(name)
        os.kill(system.qemu(name), signal.SIGKILL)
    wait_until(
        lambda: system.uid("rerunonfailure") not in ("", uids["rerunonfailure"]),
        60,
        lambda: system.about("rerunonfailure"),
    )
    for name in ("once", "manual"):
        system.wait_phase(name, "Failed")
        assert system.uid(name) == uids[name]
    done = system.cli("start", "once")
    assert done.code == 1 and "Once does not support manual start requests" in done.err, done
    system.ok("start", "manual")
    wait_until(lambda: system.uid("manual") not in ("", uids["manual"]), 60, lambda: system.about("manual"))
    system.wait_printable("manual", "Paused")


def test_a_vmi_of_its_own_stays_failed(system: System) -> None:
    """Without a VM nobody starts it again."""
    manifest = small("alone")
    template = manifest["spec"]["template"]["spec"]  # type: ignore[index,call-overload]
    vmi = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": {"name": "alone"}}
    system.apply({**vmi, "spec": template})
    system.wait_phase("alone", "Running")
    os.kill(system.qemu("alone"), signal.SIGKILL)
    system.wait_phase("alone", "Failed")
    time.sleep(0.5)
    assert system.phase("alone") == "Failed" and system.qemus() == {}
    system.ok("delete", "vmi", "alone")


def test_a_qemu_that_cannot_start_says_why(system: System, tmp_path: Path) -> None:
    """A kernel that is none: QEMU's own words reach the user, and there is no loop without a pause."""
    (tmp_path / "kernel").write_bytes(b"no kernel")
    systems.import_image(system, "broken/kernel:1", {"/boot/vmlinuz": tmp_path / "kernel"})
    container: Json = {"image": "broken/kernel:1", "kernelPath": "/boot/vmlinuz"}
    system.apply(vm("broken", domain={"firmware": {"kernelBoot": {"container": container}}}))
    wait_until(
        lambda: "invalid kernel header" in system.ok("describe", "vm", "broken"), 60, lambda: system.about("broken")
    )
    assert len(list((system.state / "instances").iterdir())) <= 1
    wait_until(lambda: system.printable("broken") == "CrashLoopBackOff", 60, lambda: system.about("broken"))


def test_more_memory_than_the_host_has(system: System) -> None:
    """No QEMU is tried: as in a cluster, the VM waits for a place and says what there is too little of."""
    system.apply(vm("greedy", memory="900Ti"))
    wait_until(lambda: system.printable("greedy") == "ErrorUnschedulable", 60, lambda: system.about("greedy"))
    assert "Insufficient memory" in system.ok("describe", "vm", "greedy")


def test_a_second_daemon_refuses(system: System) -> None:
    second = subprocess.run([*system.command, "daemon", "run"], env=system.environ, capture_output=True, timeout=30)
    assert second.returncode == 1
    message = second.stderr.decode()
    assert str(system.daemon_pid()) in message and str(system.state) in message, message
    assert len(message.strip().splitlines()) == 1, message
    system.ok("get", "vm")


def test_daemon_is_started_by_the_first_command_and_only_once(fresh: System) -> None:
    """Six commands at once, on directories that do not even exist yet."""
    commands = [
        subprocess.Popen(
            [*fresh.command, "get", "vm"], env=fresh.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(6)
    ]
    for command in commands:
        _, err = command.communicate(timeout=60)
        assert command.returncode == 0, err.decode()
    status = json.loads(fresh.ok("daemon", "status", "-o", "json"))
    assert status["running"] is True and status["socket"] == str(fresh.runtime / "solovirt.sock")
    daemons = [pid for pid, words in all_processes(fresh).items() if words[-2:] == ["daemon", "run"]]
    assert daemons == [status["pid"]]
    assert fresh.ok("daemon", "stop") == "stopped; running VMs go on\n"
    assert fresh.cli("daemon", "status").code == 3


def all_processes(system: System) -> dict[int, list[str]]:
    found = system.processes()
    pid = system.daemon_pid()
    with contextlib.suppress(FileNotFoundError):
        found[pid] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    return found


@contextlib.contextmanager
def tmpfs(size: str) -> Iterator[Path]:
    place = systems.folder()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", place], check=True, timeout=10)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True, timeout=30)
        place.rmdir()


def fill(place: Path) -> Path:
    """A file that takes all the space there is."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_full_disk(tiny: TinyImage) -> None:
    """Nothing is lost or half-done while the disk is full, the message says so, and space that is freed is used."""
    with tmpfs("220m") as place:
        system = systems.local(place)
        try:
            system.start()
            systems.import_tiny(system, tiny)
            system.apply(small("before"), claim("waiting"))
            system.wait_printable("before", "Paused")
            pid = system.qemu("before")
            ballast = fill(place)
            check_full(system, tiny)
            ballast.unlink()
            check_recovered(system, pid)
            system.check_clean()
        finally:
            system.end()


def check_full(system: System, tiny: TinyImage) -> None:
    done = system.cli("image", "import", "my/disk:1", str(tiny.disk))
    assert done.code == 1 and "no space left" in done.err and "SOLOVIRT_STATE_DIR" in done.err, done
    manifest = vm("after", memory="32Mi", disks=[disk("root")], volumes=[tiny_disk()])
    text = systems.yaml.dump(manifest).encode()
    done = system.cli("apply", "-f", "-", stdin=text)
    if done.code == 0:
        wait_until(lambda: "no space left" in system.ok("describe", "vmi", "after"), 60, lambda: system.about("after"))
    else:
        assert "full" in done.err.lower() or "no space" in done.err.lower(), done
    assert system.printable("before") == "Paused", "what runs goes on"
    assert "before" in system.ok("get", "vm")


def check_recovered(system: System, pid: int) -> None:
    assert system.qemu("before") == pid
    system.apply(vm("after", memory="32Mi", disks=[disk("root")], volumes=[tiny_disk()]))
    wait_until(lambda: system.phase("after") == "Running", 60, lambda: system.about("after"))
    system.kill()
    system.start()
    assert system.qemu("before") == pid
    assert system.find(CLAIMS, "waiting") is not None


def test_damaged_database_is_named_and_kept(fresh: System) -> None:
    fresh.start()
    fresh.apply(small("kept"))
    fresh.wait_printable("kept", "Paused")
    pid = fresh.qemu("kept")
    fresh.stop()
    database = fresh.state / "solovirt.db"
    good = database.read_bytes()
    database.write_bytes(b"this is no database".ljust(len(good), b"?"))
    done = fresh.cli("get", "vm", timeout=60)
    assert done.code == 1 and str(database) in done.err and "Traceback" not in done.err, done
    assert database.read_bytes().startswith(b"this is no database"), "the evidence is left as it was"
    assert fresh.qemus().values() == {pid} or list(fresh.qemus().values()) == [pid], "VMs do not care"
    database.write_bytes(good)
    fresh.start()
    assert fresh.printable("kept") == "Paused" and fresh.qemu("kept") == pid
    fresh.check_clean()


def test_directories_that_belong_to_others_are_refused(fresh: System) -> None:
    fresh.runtime.mkdir()
    link = fresh.runtime.with_name("link")
    link.symlink_to(fresh.runtime)
    fresh.environ["SOLOVIRT_RUNTIME_DIR"] = str(link)
    done = fresh.cli("daemon", "run", timeout=30)
    assert done.code == 1 and str(link) in done.err and "Traceback" not in done.err, done


def test_long_runtime_directory_is_refused_by_name() -> None:
    """A unix socket's path has at most 107 bytes: say so at once, not when a VM fails for it."""
    place = systems.folder()
    deep = place / ("d" * 60)
    deep.mkdir(mode=0o711)
    system = System(
        place / "state",
        deep / "run",
        command=systems.local(place).command,
        environ=systems.environment(place / "state", deep / "run"),
    )
    try:
        done = system.cli("doctor")
        assert "socket" in done.out and str(deep / "run") in done.out, done
        done = system.cli("get", "vm", timeout=60)
        assert done.code == 1 and str(deep / "run") in done.err and "SOLOVIRT_RUNTIME_DIR" in done.err, done
        assert "Traceback" not in done.err
    finally:
        system.end()
        shutil.rmtree(place)


def at_rest(system: System, name: str) -> JsonObject | None:
    """The VM, once nobody has written it for a second."""
    found: list[JsonObject | None] = [None]

    def same() -> bool:
        found.append(system.find(VMS, name))
        return found[-1] == found[-2]

    wait_until(same, 60, lambda: f"at rest: {system.about(name)}", 1)
    return found[-1]


def test_daemon_stop_and_start_leaves_vms_alone(system: System) -> None:
    """An orderly end of the daemon does no more to VMs than kill -9."""
    volumes: list[Json] = [tiny_disk()]
    system.apply(
        vm("stays", memory="64Mi", disks=[disk("root")], volumes=volumes, template={"startStrategy": "Paused"})
    )
    system.wait_printable("stays", "Paused")
    before, pid, uid = at_rest(system, "stays"), system.qemu("stays"), system.uid("stays")
    system.restart()
    assert system.qemu("stays") == pid and system.uid("stays") == uid
    time.sleep(0.5)
    after = system.find(VMS, "stays")
    assert before is not None and after is not None and before["metadata"] == after["metadata"], "nothing was rewritten"
    system.ok("unpause", "vm", "stays")
    system.wait_printable("stays", "Running")
    assert system.find(VMIS, "stays") is not None
