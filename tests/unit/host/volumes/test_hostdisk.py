from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.sources import HostDiskSource
from solovirt.host.volumes import hostdisk
from solovirt.kit.errors import HostError, Invalid, SolovirtError
from tests.unit.host.images.fakes import MIB


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def source(path: Path | str, kind: str = "Disk", capacity: str | None = None) -> HostDiskSource:
    return HostDiskSource(path=str(path), type=kind, capacity=capacity)


def test_an_existing_disk_is_raw_whatever_its_bytes_say(root: Path) -> None:
    (root / "d").write_bytes(b"QFI\xfb" + bytes(MIB - 4))
    for kind in ("Disk", "DiskOrCreate"):
        found = hostdisk.prepare(source(root / "d", kind, "5Mi" if kind == "DiskOrCreate" else None), "f")
        assert (found.path, found.format, found.size, found.block_device) == (str(root / "d"), "raw", MIB, False)


def test_disk_or_create(root: Path) -> None:
    wanted = source(root / "d", "DiskOrCreate", "3Mi")
    assert hostdisk.prepare(wanted, "f").size == 3 * MIB
    assert (root / "d").stat().st_mode & 0o777 == 0o600
    (root / "d").write_bytes(b"x" * MIB)
    assert hostdisk.prepare(wanted, "f").size == MIB


def test_a_crash_between_creating_and_sizing_is_repaired(root: Path) -> None:
    (root / "d").touch()
    assert hostdisk.prepare(source(root / "d", "DiskOrCreate", "1Mi"), "f").size == MIB


@pytest.mark.parametrize("kind", ["Disk", "DiskOrCreate"])
def test_links_are_refused_anywhere(root: Path, kind: str) -> None:
    victim = root / "victim"
    victim.write_bytes(b"x" * 512)
    (root / "link").symlink_to(victim)
    (root / "dangling").symlink_to(root / "nothing")
    (root / "dir").symlink_to(root)
    for path in (root / "link", root / "dangling", root / "dir" / "victim", root / "dir" / "new"):
        with pytest.raises(HostError, match="symbolic link") as caught:
            hostdisk.prepare(source(path, kind, "1Mi"), "spec.volumes[0].hostDisk")
        assert caught.value.field == "spec.volumes[0].hostDisk.path"
    assert not (root / "nothing").exists()
    assert not (root / "new").exists()


def test_directories_are_not_made_and_odd_files_not_taken(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "empty").touch()
    for path, kind, why in (
        (root / "none", "Disk", "No such file"),
        (root / "no" / "dir", "DiskOrCreate", "No such file"),
        (root / "pipe", "Disk", "neither a regular file nor a block device"),
        (root / "empty", "Disk", "empty"),
        (Path("/dev/zero"), "Disk", "neither|denied"),
        (root, "Disk", "directory"),
    ):
        with pytest.raises(HostError, match=why):
            hostdisk.prepare(source(path, kind, "1Mi"), "f")
    assert sorted(os.listdir(root)) == ["empty", "pipe"]


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a/./b", "/a//b", "/", "/a/", "", "/a\0b"])
def test_paths_are_plain(path: str) -> None:
    with pytest.raises(Invalid, match="absolute path"):
        hostdisk.prepare(source(path), "f")


@pytest.mark.parametrize(
    ("kind", "capacity", "error", "field"),
    [
        ("Directory", None, Invalid, "f.type"),
        ("DiskOrCreate", None, Invalid, "f.capacity"),
        ("DiskOrCreate", "lots", Invalid, "f.capacity"),
        ("DiskOrCreate", "4Ei", HostError, "f.capacity"),
    ],
)
def test_wrong_fields_leave_no_file(
    root: Path, kind: str, capacity: str | None, error: type[SolovirtError], field: str
) -> None:
    with pytest.raises(error) as caught:
        hostdisk.prepare(source(root / "d", kind, capacity), "f")
    assert caught.value.field == field
    assert os.listdir(root) == []


def test_a_full_disk_says_both_sizes(root: Path) -> None:
    with pytest.raises(HostError, match="demanded size 4611686018427387904 B is bigger than available") as caught:
        hostdisk.prepare(source(root / "d", "DiskOrCreate", "4Ei"), "f")
    assert caught.value.reason == "StorageFull"
