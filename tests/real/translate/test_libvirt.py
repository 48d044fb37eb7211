"""libvirt's own schema says whether what we export is a domain."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from solovirt.compile import render
from solovirt.translate import argv, domain, libvirt
from tests.golden import cases
from tests.unit.translate.helpers import at

pytestmark = pytest.mark.real
MAIN = [f"domain.{field}" for field in ("machine.type", "cpu.sockets", "cpu.cores", "cpu.threads", "cpu.model")]
MAIN += [
    "domain.memory.guest",
    "domain.firmware.uuid",
    "domain.firmware.serial",
    "domain.chassis",
    "domain.firmware.bootloader.efi",
]
MAIN += ["domain.devices.rng", "domain.devices.autoattachMemBalloon", "domain.devices.watchdog.i6300esb"]


def test_every_golden_is_a_domain_for_libvirt(tmp_path: Path) -> None:
    validate = shutil.which("virt-xml-validate")
    assert validate, "apt install libvirt-clients libxml2-utils"
    refused: dict[str, str] = {}
    for name in cases.names():
        file = tmp_path / f"{name}.xml"
        file.write_text(libvirt.write(render.argv(cases.load(name).machine()), name).xml)
        done = subprocess.run([validate, str(file), "domain"], capture_output=True, text=True, timeout=60)
        if done.returncode:
            refused[name] = done.stdout + done.stderr
        again = domain.read(file.read_text())
        first = argv.read(render.argv(cases.load(name).machine()))
        assert [at(again, field) for field in MAIN] == [at(first, field) for field in MAIN], name
    assert refused == {}
