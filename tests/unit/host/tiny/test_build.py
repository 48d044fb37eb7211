from collections.abc import Sequence
from pathlib import Path

import pytest

from solovirt.host import packages
from solovirt.host.tiny import build as module
from solovirt.host.tiny.build import TinyImage, build, image_files
from solovirt.host.tiny.debs import Package
from solovirt.kit.errors import HostError


class Builder:
    """Stands for apt and the assembly: one kernel version, and a count of builds."""

    def __init__(self) -> None:
        self.version = "6.1-1"
        self.builds = 0

    def show(self, names: Sequence[str]) -> dict[str, Package]:
        return {name: Package(name, self.version, (), 1) for name in names}

    def assemble(self, archive: object, work: Path, progress: object) -> list[Package]:
        self.builds += 1
        for name in ("vmlinuz", "initrd", "disk.qcow2"):
            (work / name).write_text(f"{name} {self.version}")
        return [Package("linux-image-cloud-amd64", self.version, (), 1)]


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    builder = Builder()
    monkeypatch.setattr(packages, "require", lambda tool, needed_for="": Path("/usr/bin") / tool)
    monkeypatch.setattr(module.Archive, "show", builder.show)
    monkeypatch.setattr(module, "_assemble", builder.assemble)
    return builder


def test_the_second_time_nothing_is_built(tmp_path: Path, builder: Builder) -> None:
    lines: list[str] = []
    first = build(tmp_path)
    second = build(tmp_path, progress=lines.append)

    assert first == second == TinyImage(tmp_path / "vmlinuz", tmp_path / "initrd", tmp_path / "disk.qcow2")
    assert builder.builds == 1
    assert lines == ["the tiny guest is up to date"]


def test_a_new_package_means_a_new_guest(tmp_path: Path, builder: Builder) -> None:
    build(tmp_path)
    builder.version = "6.1-2"
    tiny = build(tmp_path)

    assert builder.builds == 2
    assert tiny.kernel.read_text() == "vmlinuz 6.1-2"


def test_a_changed_builder_means_a_new_guest(tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path)
    monkeypatch.setattr(module, "source_digest", lambda: "another")
    build(tmp_path)

    assert builder.builds == 2


def test_a_lost_file_means_a_new_guest(tmp_path: Path, builder: Builder) -> None:
    build(tmp_path).disk.unlink()

    assert build(tmp_path).disk.exists()


def test_only_the_result_stays(tmp_path: Path, builder: Builder) -> None:
    build(tmp_path)

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".lock", "vmlinuz", "initrd", "disk.qcow2", "tiny.json"}


def test_a_failed_build_leaves_the_old_guest(tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = build(tmp_path)
    builder.version = "6.1-2"

    def fail(archive: object, work: Path, progress: object) -> list[Package]:
        (work / "vmlinuz").write_text("half")
        raise HostError("the disk cannot be made", reason="ToolFailed")

    monkeypatch.setattr(module, "_assemble", fail)
    with pytest.raises(HostError):
        build(tmp_path)

    assert tiny.kernel.read_text() == "vmlinuz 6.1-1"
    assert not list(tmp_path.glob(".build-*"))


def test_missing_programs_are_told_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ALWAYS_SEARCHED", ())
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(HostError) as caught:
        build(tmp_path / "new")

    assert caught.value.hint == "apt install apt"
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path, builder: Builder) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(HostError, match="cannot be written"):
        build(tmp_path / "file")


def test_paths_in_the_image(tmp_path: Path) -> None:
    tiny = TinyImage(tmp_path / "k", tmp_path / "i", tmp_path / "d")

    assert image_files(tiny) == {
        "/disk/disk.qcow2": tmp_path / "d",
        "/boot/vmlinuz": tmp_path / "k",
        "/boot/initrd": tmp_path / "i",
    }


def test_the_digest_covers_the_guest_s_scripts() -> None:
    names = {name for name, _ in module._sources(module.resources.files("solovirt.host.tiny"))}

    assert {"build.py", "guest/sbin/late", "guest/etc/inittab"} <= names
    assert not any("__pycache__" in name for name in names)
