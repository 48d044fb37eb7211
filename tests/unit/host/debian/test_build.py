from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from solovirt.host.cache import Cache
from solovirt.host.debian import build, disk, recipe
from solovirt.host.tiny.debs import Archive, Package

VERSIONS = {"bash": "5.2", "only-there": ""}


class World:
    """What apt knows, and how often something was made."""

    def __init__(self) -> None:
        self.versions = {"bash": "5.2"}
        self.made = 0

    def known(self, names: Sequence[str]) -> dict[str, Package]:
        return {n: Package(n, self.versions[n], (), 1) for n in names if n in self.versions}

    def make(self, work: Path) -> None:
        self.made += 1
        (work / "vmlinuz").write_text("kernel")
        (work / "initrd").write_text("initrd")
        (work / "packages").write_text("bash=5.2\nonly-there=1\n")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(Archive, "known", world.known)
    monkeypatch.setattr(recipe, "make", world.make)
    monkeypatch.setattr(disk, "build", lambda parts, target: target.write_text("disk"))
    return world


def test_it_is_built_once_until_a_package_changes(world: World, tmp_path: Path) -> None:
    said: list[str] = []
    first = build.build(tmp_path, progress=said.append)
    build.build(tmp_path, progress=said.append)

    assert world.made == 1
    assert said[-1] == "the Debian guest is up to date"
    assert [path.read_text() for path in first] == ["kernel", "initrd", "disk"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock", "debian.json", "disk.qcow2", "initrd", "vmlinuz",
    ]  # fmt: skip

    world.versions["bash"] = "5.3"
    build.build(tmp_path)
    assert world.made == 2


def test_packages_that_this_host_does_not_know_do_not_count(world: World, tmp_path: Path) -> None:
    build.build(tmp_path)
    kept = Cache(tmp_path / "debian.json", dict[str, str]).get({"source": build.source_digest()})

    assert kept == VERSIONS


def test_a_lost_file_and_a_changed_builder_mean_a_new_guest(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (build.build(tmp_path)).initrd.unlink()
    build.build(tmp_path)
    assert world.made == 2

    monkeypatch.setattr(build, "source_digest", lambda: "another")
    build.build(tmp_path)
    assert world.made == 3


def test_the_image_has_disk_kernel_and_initrd() -> None:
    paths = build.image_files(build.DebianImage(Path("/k"), Path("/i"), Path("/d")))

    assert paths == {"/disk/disk.qcow2": Path("/d"), "/boot/vmlinuz": Path("/k"), "/boot/initrd": Path("/i")}
