"""A QEMU that its guest took over: whatever it does to its own files, sockets and lock, root does not follow."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from solovirt.kit import yaml
from solovirt.kit.jsontypes import JsonObject
from tests.support.manifests import claim, disk, small, vm
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
    return subprocess.run([*drop(uid), "sh", "-c", script], capture_output=True, text=True, timeout=60)


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
    done = system.cli("console", "one", timeout=60)
    assert done.code == 1 and "serial.sock" in done.err, done
    listen = "import os,socket,time; s=socket.socket(socket.AF_UNIX); s.bind('new'); s.listen()"
    there = "os.rename('new', 'serial.sock'); time.sleep(600)"
    script = f'cd {sockets} && rm serial.sock && exec /usr/bin/python3 -c "{listen}; {there}"'
    with subprocess.Popen([*drop(uid), "sh", "-c", script]) as impostor:
        try:
            wait_until((sockets / "serial.sock").exists, 60, "the impostor's socket")
            done = system.cli("console", "one", timeout=60)
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
    wait_until(lambda: not Path(f"/proc/{first}").exists(), 60, lambda: system.about("one"))
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
    wait_until(lambda: not sockets.exists(), 60, lambda: f"{sockets} gone: {list(sockets.iterdir())}")


def with_claim(system: System, name: str) -> None:
    volume: JsonObject = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
    machine = vm(
        name,
        memory="32Mi",
        disks=[disk("data")],
        volumes=[volume],
        template={"startStrategy": "Paused", "terminationGracePeriodSeconds": 0},
    )
    system.apply(claim(name), machine)
    system.wait_printable(name, "Paused")


def opened_by(words: list[str]) -> set[str]:
    """The files that a QEMU with the same -blockdev options has as nodes, as its monitor tells it."""
    options = [word for flag, value in itertools.pairwise(words) if flag == "-blockdev" for word in (flag, value)]
    bare = [words[0], "-machine", "none", "-accel", "tcg", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"]
    asked = '{"execute":"qmp_capabilities"}{"execute":"query-named-block-nodes","id":1}{"execute":"quit"}'
    done = subprocess.run([*bare, *options], input=asked, capture_output=True, text=True, timeout=30)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {node["file"] for answer in answers if answer.get("id") == 1 for node in answer["return"]}


def test_a_claim_whose_header_was_rewritten_leads_nowhere(system: System, tmp_path: Path) -> None:
    """QEMU writes the header of its qcow2, so a taken-over one can name any file of the host for the next start."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"root's only" * 100000)
    with_claim(system, "one")
    words = Path(f"/proc/{system.qemu('one')}/cmdline").read_text().split("\0")
    claimed = system.state / "volumes" / "default" / "one" / "disk.qcow2"
    system.ok("stop", "one", "--wait")
    rebase = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(victim), "-F", "raw", str(claimed)]
    subprocess.run(rebase, check=True, timeout=30)
    # Even if nobody looked at the file again: our options say that nothing is below it.
    opened = opened_by(words)
    assert str(claimed) in opened
    assert not [name for name in opened if str(victim) in name]
    # But it is looked at before every start.
    system.ok("start", "one")
    wait_until(lambda: "backing file" in system.ok("describe", "vmi", "one"), 60, lambda: system.about("one"))
    assert system.uid("one") not in system.qemus()


def test_a_claim_that_keeps_its_data_elsewhere_is_refused(system: System, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    with_claim(system, "one")
    claimed = system.state / "volumes" / "default" / "one" / "disk.qcow2"
    system.ok("stop", "one", "--wait")
    hostile = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        f"data_file={victim},data_file_raw=on",
        str(claimed),
        "64M",
    ]
    subprocess.run(hostile, check=True, timeout=30)
    before = victim.read_bytes()
    system.ok("start", "one")
    wait_until(lambda: "data file" in system.ok("describe", "vmi", "one"), 60, lambda: system.about("one"))
    assert system.uid("one") not in system.qemus()
    # Growing the claim runs qemu-img on it, as root's daemon.
    system.client.call("DELETE", f"{VMS}/one", None, {"gracePeriodSeconds": 0})
    wait_until(lambda: system.find(VMS, "one") is None, 60, "deleted")
    system.cli("apply", "-f", "-", stdin=yaml.dump(claim("one", "128Mi")).encode())
    time.sleep(1)
    assert victim.read_bytes() == before
