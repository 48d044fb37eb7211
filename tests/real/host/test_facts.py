"""Facts of the QEMU that is installed here, and of programs that are no QEMU."""

from pathlib import Path

import pytest

from solovirt.host import facts
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths

pytestmark = pytest.mark.real


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "runtime")


def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "qemu"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


async def test_the_installed_qemu(paths: Paths) -> None:
    found = await facts.probe(paths, environ={"SOLOVIRT_ACCEL": "tcg", "PATH": "/usr/bin"})

    assert found.qemu.version >= (7, 2, 0)
    assert found.qemu.arch == "x86_64"
    assert {"virtio-blk-pci", "virtio-scsi-pci", "ide-cd", "virtserialport", "pcie-root-port"} <= found.qemu.devices
    assert {"rng-random", "memory-backend-memfd"} <= found.qemu.objects
    assert {"user", "tap"} <= found.qemu.netdevs
    assert [m.name.startswith("pc-q35-") for m in found.qemu.machines if m.alias == "q35"] == [True]
    models = {model.name: model.missing for model in found.qemu.cpu_models}
    assert models["max"] == ()
    assert models["host"] == ("kvm",)
    assert facts.dump(found)


async def test_the_second_time_qemu_is_not_started(paths: Paths, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f'echo x >> {count}; exec qemu-system-x86_64 "$@"'
    environ = {"SOLOVIRT_ACCEL": "tcg", "SOLOVIRT_QEMU": program(tmp_path, script)}

    first = await facts.probe(paths, environ=environ)
    again = await facts.probe(paths, environ=environ)

    assert first == again
    assert count.read_text() == "x\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'qemu: no such accelerator' >&2; exit 1", "no such accelerator"),
        ("exit 0", "cannot be asked what it can do"),
        ("echo hello >&3; exec sleep 0", "cannot be asked what it can do"),
    ],
)
async def test_a_program_that_is_no_qemu(paths: Paths, tmp_path: Path, script: str, why: str) -> None:
    environ = {"SOLOVIRT_ACCEL": "tcg", "SOLOVIRT_QEMU": program(tmp_path, script)}

    with pytest.raises(HostError, match=why) as caught:
        await facts.probe(paths, environ=environ)

    assert caught.value.reason == "QEMUFailed"
    assert not list(paths.facts.glob("qemu-*"))


async def test_an_old_qemu_is_refused(paths: Paths, tmp_path: Path) -> None:
    """A program that speaks QMP like QEMU 6.2."""
    fake = tmp_path / "qemu"
    fake.write_text(
        """#!/usr/bin/env python3
import json, re, socket, sys
number = int(re.search(r"fd=(\\d+)", " ".join(sys.argv)).group(1))
wire = socket.socket(fileno=number)
def say(**message):
    wire.sendall(json.dumps(message).encode() + b"\\n")
version = {"qemu": {"major": 6, "minor": 2, "micro": 0}, "package": ""}
say(QMP={"version": version, "capabilities": []})
while data := wire.recv(4096):
    request = json.loads(data)
    say(**{"return": version if request["execute"] == "query-version" else {}}, id=request.get("id"))
"""
    )
    fake.chmod(0o755)

    with pytest.raises(HostError, match=r"is QEMU 6\.2\.0") as caught:
        await facts.probe(paths, environ={"SOLOVIRT_ACCEL": "tcg", "SOLOVIRT_QEMU": str(fake)})

    assert caught.value.reason == "QEMUTooOld"
    assert "7.2 or newer" in caught.value.hint
