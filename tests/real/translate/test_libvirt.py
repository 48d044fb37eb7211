"""libvirt's own schema says whether what we export is a domain."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from solovirt.compile import render
from solovirt.translate import domain, libvirt
from tests.golden import cases

pytestmark = pytest.mark.real


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
        domain.read(file.read_text())
    assert refused == {}
