"""A root daemon's machines: each QEMU is a user of its own and reaches only its own VM's files."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.manifests import claim, disk, tiny_disk, tiny_kernel, vm
from tests.support.system import VMS, System

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's QEMUs all run as that user"),
]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def can_open(uid: int, path: Path, how: str = "-r") -> bool:
    """What a process with QEMU's user and group could do. ``how``: -r, -w or -x of test(1)."""
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", "test", how, str(path)]
    return subprocess.run(words, timeout=60).returncode == 0


def start_two(system: System) -> None:
    paused: JsonObject = {"startStrategy": "Paused", "terminationGracePeriodSeconds": 0}
    for name in ("one", "two"):
        volumes: list[Json] = [tiny_disk(), {"name": "data", "persistentVolumeClaim": {"claimName": name}}]
        seed: JsonObject = {"name": "seed", "cloudInitNoCloud": {"userData": f"#!/bin/sh\necho {name}\n"}}
        system.apply(
            claim(name),
            vm(
                name,
                memory="64Mi",
                disks=[disk("root"), disk("data"), disk("seed")],
                volumes=[*volumes, seed],
                template=paused,
                domain={"firmware": tiny_kernel()},
            ),
        )
    for name in ("one", "two"):
        system.wait_printable(name, "Paused")


def test_each_vm_is_a_user_of_its_own(system: System) -> None:
    start_two(system)
    users: dict[str, int] = {}
    for name in ("one", "two"):
        found = status(system.qemu(name))
        ids = set(found["Uid"].split() + found["Gid"].split())
        assert len(ids) == 1 and "0" not in ids, found
        users[name] = int(min(ids))
        assert set(found["Groups"].split()) <= ids, found
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(found[capabilities], 16) == 0, found
        assert found["NoNewPrivs"] == "1"
        assert found["Seccomp"] == "2"
    assert users["one"] != users["two"]
    check_files(system, users)
    check_sockets(system, users)
    system.delete(VMS, "one")
    claimed = next((system.state / "volumes" / "default" / "one").glob("disk.*"))
    assert not can_open(users["one"], claimed), "what a machine could reach was taken back at its end"


def check_files(system: System, users: dict[str, int]) -> None:
    for own, other in (("one", "two"), ("two", "one")):
        uid = users[own]
        instance = system.state / "instances" / system.uid(own)
        claimed = next((system.state / "volumes" / "default" / own).glob("disk.*"))
        for path in (instance / "root.qcow2", claimed):
            assert can_open(uid, path) and can_open(uid, path, "-w"), path
            assert not can_open(users[other], path), f"{other} can read {path}"
        assert can_open(uid, instance / "seed.iso")
        assert not can_open(users[other], instance / "seed.iso")
        assert not can_open(users[other], instance, "-x")
        for private in (system.state / "solovirt.db", system.state / "daemon.log", system.runtime / "solovirt.sock"):
            assert not can_open(uid, private) and not can_open(uid, private, "-w"), private
        for listed in (system.state, system.state / "instances", system.state / "volumes"):
            assert not can_open(uid, listed), f"{listed} can be listed"
    for blob in (system.state / "images" / "blobs" / "sha256").iterdir():
        assert not can_open(users["one"], blob, "-w"), "an image is never written"


def check_sockets(system: System, users: dict[str, int]) -> None:
    for own, other in (("one", "two"), ("two", "one")):
        folder = system.runtime / "vmi" / system.uid(own)
        assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
        assert not can_open(users[other], folder / "qmp.sock", "-w")
