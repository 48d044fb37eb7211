"""A QEMU that its guest took over: whatever it does to its own files, sockets and lock, root does not follow."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.manifests import small
from tests.support.system import VMS, System, wait_until

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's QEMUs all run as that user"),
]


def user_of(system: System, name: str) -> int:
    return os.stat(f"/proc/{system.qemu(name)}").st_uid


def drop(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]


def as_user(uid: int, script: str) -> subprocess.CompletedProcess[str]:
    """What a taken-over QEMU could do (more: seccomp lets it start no programs)."""
    return subprocess.run([*drop(uid), "sh", "-c", script], capture_output=True, text=True, timeout=20)


def start(system: System, name: str) -> tuple[int, Path, Path]:
    """(user, instance directory, directory of sockets) of a new machine."""
    system.apply(small(name))
    system.wait_printable(name, "Paused")
    uid = system.uid(name)
    return user_of(system, name), system.state / "instances" / uid, system.runtime / "vmi" / uid


def test_it_cannot_plant_anything_among_its_files(system: System) -> None:
    uid, instance, _ = start(system, "one")
    for command in (
        f"ln -s /etc/shadow {instance}/x",
        f"rm {instance}/qemu.log",
        f"mv {instance}/serial.log {instance}/y",
        f"rm {instance}/qemu.lock",
        f"touch {instance}/z",
        f"ls {instance}",
        f": >> {instance}/qemu.lock",
    ):
        done = as_user(uid, command)
        assert done.returncode != 0 and "denied" in done.stderr, (command, done)


def test_sockets_that_lead_elsewhere_are_not_followed(system: System) -> None:
    """Its serial socket becomes a link to the daemon's own socket, then a socket that another process serves."""
    uid, _, sockets = start(system, "one")
    detour = f"cd {sockets} && mv serial.sock old && ln -s {system.runtime}/solovirt.sock serial.sock"
    assert as_user(uid, detour).returncode == 0
    done = system.cli("console", "one", timeout=20)
    assert done.code == 1 and "serial.sock" in done.err, done
    listen = "import socket,time; s=socket.socket(socket.AF_UNIX); s.bind('serial.sock'); s.listen(); time.sleep(60)"
    script = f'cd {sockets} && rm serial.sock && exec /usr/bin/python3 -c "{listen}"'
    with subprocess.Popen([*drop(uid), "sh", "-c", script]) as impostor:
        try:
            wait_until((sockets / "serial.sock").exists, 10, "the impostor's socket")
            done = system.cli("console", "one", timeout=20)
            assert done.code == 1 and "served by process" in done.err, done
        finally:
            impostor.kill()


def test_it_is_gone_with_its_machine_although_it_let_go_of_its_lock(system: System) -> None:
    """Without the lock the next daemon takes it for dead; no second machine may then run beside the first."""
    uid, instance, _ = start(system, "one")
    first = system.qemu("one")
    (instance / "qemu.lock").unlink()  # for us the same as a flock(LOCK_UN) in there
    system.kill()
    system.start()
    wait_until(lambda: not Path(f"/proc/{first}").exists(), 20, lambda: system.about("one"))
    system.delete(VMS, "one")
    assert as_user(uid, "true").returncode == 0
    left = subprocess.run(["pgrep", "-u", str(uid)], capture_output=True, text=True)
    assert left.stdout == ""


def test_what_it_left_beside_its_sockets_goes_and_nothing_else(system: System, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    uid, _, sockets = start(system, "one")
    plant = f"ln -s {victim} link && ln -s {victim}/file file && mkdir -p deep/er && ln -s {victim} deep/er/x"
    assert as_user(uid, f"cd {sockets} && {plant}").returncode == 0
    system.delete(VMS, "one")
    assert (victim / "file").read_text() == "kept"
    wait_until(lambda: not sockets.exists(), 10, lambda: f"{sockets} gone: {list(sockets.iterdir())}")
