"""The KVM verdict with a real QEMU: TCG stands for a KVM that works."""

import subprocess
import time
from pathlib import Path

import pytest

from solovirt.host import facts, kvm

pytestmark = pytest.mark.real


def run_rom(tmp_path: Path, iterations: int) -> int:
    firmware = tmp_path / "probe.rom"
    firmware.write_bytes(kvm.rom(iterations))
    return subprocess.run(kvm.argv(facts.find_qemu(), firmware, accel="tcg"), timeout=60, check=False).returncode


def test_the_firmware_counts_and_leaves_with_the_agreed_status(tmp_path: Path) -> None:
    assert run_rom(tmp_path, kvm.ITERATIONS) == 85
    assert run_rom(tmp_path, 1) == 85


async def test_the_verdict_comes_in_time_and_is_remembered(tmp_path: Path) -> None:
    started = time.monotonic()
    first = await kvm.verdict(tmp_path, facts.find_qemu(), environ={})
    took = time.monotonic() - started
    again = await kvm.verdict(tmp_path, facts.find_qemu(), environ={})

    assert first.accel in {"kvm", "tcg"}
    assert first.reason
    assert first.accel == "kvm" or first.hint
    assert took < 30
    if (tmp_path / "kvm.json").exists():
        assert again == first


async def test_a_kvm_that_does_not_end_in_time_is_no_kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCG in place of KVM, with more to count than fits into the limit: that is how a KVM that lies looks."""
    argv = kvm.argv
    monkeypatch.setattr(kvm, "argv", lambda qemu, firmware: argv(qemu, firmware, accel="tcg"))
    monkeypatch.setattr(kvm, "ITERATIONS", 0xFFFFFFFF)
    monkeypatch.setattr(kvm, "_MIN_CPU_SECONDS", 0.0)
    device = tmp_path / "kvm"
    device.write_bytes(b"")

    found = await kvm.verdict(tmp_path / "cache", facts.find_qemu(), environ={}, device=device)

    assert found.accel == "tcg"
    assert "did not finish within" in found.reason
    assert (tmp_path / "cache/kvm.json").exists()


async def test_a_kvm_that_works_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = kvm.argv
    monkeypatch.setattr(kvm, "argv", lambda qemu, firmware: argv(qemu, firmware, accel="tcg"))
    monkeypatch.setattr(kvm, "ITERATIONS", 1000)
    monkeypatch.setattr(kvm, "TIME_LIMIT", 30.0)
    device = tmp_path / "kvm"
    device.write_bytes(b"")

    assert (await kvm.verdict(tmp_path / "cache", facts.find_qemu(), environ={}, device=device)).accel == "kvm"


async def test_a_qemu_that_cannot_use_the_device_says_why(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    device.write_bytes(b"")
    broken = tmp_path / "qemu"
    broken.write_text("#!/bin/sh\necho 'qemu: failed to initialize kvm: No such device' >&2\nexit 1\n")
    broken.chmod(0o755)

    found = await kvm.verdict(tmp_path / "cache", broken, environ={}, device=device)

    assert found.accel == "tcg"
    assert found.reason == "the KVM probe failed: qemu: failed to initialize kvm: No such device"
