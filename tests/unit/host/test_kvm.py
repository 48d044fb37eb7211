import os
from pathlib import Path

import pytest

from solovirt.host import kvm
from solovirt.host.kvm import Verdict
from solovirt.kit.errors import HostError


class Runs:
    """Stands for the run under KVM: says what it is told to and counts."""

    def __init__(self, verdict: Verdict, certain: bool = True) -> None:
        self.answer = (verdict, certain)
        self.count = 0

    async def __call__(self, qemu: Path) -> tuple[Verdict, bool]:
        self.count += 1
        return self.answer


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.write_bytes(b"")
    return path


@pytest.fixture
def qemu(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_bytes(b"binary")
    return path


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(Verdict("kvm", "it ran"))
    monkeypatch.setattr(kvm, "_run", runs)
    return runs


async def test_it_runs_once_and_remembers(tmp_path: Path, qemu: Path, device: Path, runs: Runs) -> None:
    for _ in range(3):
        assert await kvm.verdict(tmp_path / "cache", qemu, environ={}, device=device) == Verdict("kvm", "it ran")

    assert runs.count == 1


async def test_another_qemu_is_tried_anew(tmp_path: Path, qemu: Path, device: Path, runs: Runs) -> None:
    await kvm.verdict(tmp_path / "cache", qemu, environ={}, device=device)
    qemu.write_bytes(b"another binary")
    await kvm.verdict(tmp_path / "cache", qemu, environ={}, device=device)

    assert runs.count == 2


async def test_an_uncertain_run_is_not_remembered(tmp_path: Path, qemu: Path, device: Path, runs: Runs) -> None:
    runs.answer = (Verdict("tcg", "busy"), False)

    for _ in range(2):
        assert (await kvm.verdict(tmp_path / "cache", qemu, environ={}, device=device)).accel == "tcg"

    assert runs.count == 2


@pytest.mark.parametrize("wanted", ["kvm", "tcg"])
async def test_the_environment_decides_without_a_run(tmp_path: Path, qemu: Path, runs: Runs, wanted: str) -> None:
    found = await kvm.verdict(tmp_path, qemu, environ={"SOLOVIRT_ACCEL": wanted}, device=tmp_path / "none")

    assert found == Verdict(wanted, f"SOLOVIRT_ACCEL={wanted}")
    assert runs.count == 0


async def test_a_wrong_environment_is_an_error(tmp_path: Path, qemu: Path) -> None:
    with pytest.raises(HostError, match='SOLOVIRT_ACCEL is "hvf"'):
        await kvm.verdict(tmp_path, qemu, environ={"SOLOVIRT_ACCEL": "hvf"})


async def test_no_device_means_tcg(tmp_path: Path, qemu: Path, runs: Runs) -> None:
    found = await kvm.verdict(tmp_path, qemu, environ={}, device=tmp_path / "none")

    assert found.accel == "tcg"
    assert found.reason.endswith("none is missing")
    assert runs.count == 0


async def test_no_permission_names_the_group(
    tmp_path: Path, qemu: Path, device: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    found = await kvm.verdict(tmp_path, qemu, environ={}, device=device)

    assert (found.accel, runs.count) == ("tcg", 0)
    assert "no permission" in found.reason
    assert "usermod -aG kvm" in found.hint


def test_qemu_s_own_words_are_the_reason_when_it_fails() -> None:
    found = kvm._judge(1, b"warning: x\nqemu: failed to initialize kvm: Device or resource busy\n")

    assert found.accel == "tcg"
    assert found.reason.endswith("failed to initialize kvm: Device or resource busy")


@pytest.mark.parametrize("status", [0, 1, 84, -9])
def test_only_the_agreed_exit_status_counts(status: int) -> None:
    assert kvm._judge(status, b"").accel == "tcg"
    assert kvm._judge(85, b"").accel == "kvm"


def test_a_probe_that_got_no_cpu_says_so() -> None:
    assert "too busy" in kvm._too_slow(0.1).reason
    assert "did not finish within" in kvm._too_slow(1.4).reason


def test_the_firmware_starts_at_the_reset_vector() -> None:
    rom = kvm.rom(3)

    assert len(rom) == 0x10000
    jump = int.from_bytes(rom[0xFFF1:0xFFF3], "little", signed=True)
    assert rom[0xFFF0] == 0xE9
    assert rom[0xFFF3 + jump] == 0xFA
