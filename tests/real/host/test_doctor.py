"""The doctor on this very host, and on one without any program."""

import os
from pathlib import Path

import pytest

from solovirt.host import doctor, facts, packages
from solovirt.kit.paths import Paths

pytestmark = pytest.mark.real


async def test_a_host_that_runs_these_tests_can_run_guests(tmp_path: Path) -> None:
    checks = await doctor.check(Paths(tmp_path, Path("/tmp/sv-doctor")), {**os.environ, "SOLOVIRT_ACCEL": "tcg"})
    found = {check.name: check for check in checks}

    assert not [check for check in checks if check.status == "FAIL"]
    assert found["firmware"].message.startswith("SeaBIOS at /")
    assert (found["KVM"].status, "SOLOVIRT_ACCEL=tcg" in found["KVM"].message) == ("WARN", True)
    assert not Path("/tmp/sv-doctor").exists()


async def test_a_bare_host_is_told_every_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ALWAYS_SEARCHED", ())
    monkeypatch.setattr(facts, "_ELSEWHERE", ())

    checks = await doctor.check(Paths(tmp_path, tmp_path), {"PATH": str(tmp_path)})

    hints = {check.name: check.hint for check in checks if check.status != "OK"}
    assert hints["QEMU"] == "apt install qemu-system-x86"
    assert hints["qemu-img"] == "apt install qemu-utils"
    assert hints["skopeo"] == "apt install skopeo"


async def test_a_program_that_only_looks_like_qemu(tmp_path: Path) -> None:
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\necho broken pipes >&2; exit 1\n")
    fake.chmod(0o755)

    environ = {**os.environ, "SOLOVIRT_QEMU": str(fake), "SOLOVIRT_ACCEL": "tcg"}
    checks = {check.name: check for check in await doctor.check(Paths(tmp_path / "s", tmp_path / "r"), environ)}

    assert checks["QEMU"].status == "FAIL"
    assert "broken pipes" in checks["QEMU"].message
