import os
from pathlib import Path

import pytest

from solovirt.host import hugetlbfs

MIB = 1024**2


def mounts(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "mounts"
    file.write_text("".join(f"{line} 0 0\n" for line in lines))
    return file


def test_the_mount_with_the_size(tmp_path: Path) -> None:
    file = mounts(
        tmp_path,
        "proc /proc proc rw",
        "hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M",
        "none /mnt/huge\\0401G hugetlbfs rw,pagesize=1024M",
        "broken",
    )
    assert hugetlbfs.directory(2 * MIB, mounts=file) == "/dev/hugepages/solovirt"
    assert hugetlbfs.directory(1024 * MIB, mounts=file) == "/mnt/huge 1G/solovirt"
    assert hugetlbfs.directory(4 * MIB, mounts=file) == ""
    assert hugetlbfs.directory(2 * MIB, mounts=tmp_path / "none") == ""


def test_the_directory_is_as_open_as_tmp(tmp_path: Path) -> None:
    path = str(tmp_path / "solovirt")
    assert hugetlbfs.make(path) == hugetlbfs.make(path) == path
    assert os.stat(path).st_mode & 0o7777 == 0o1777
    assert hugetlbfs.make("") == ""


def test_what_is_no_directory_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").touch()
    assert hugetlbfs.make(str(tmp_path / "link")) == hugetlbfs.make(str(tmp_path / "file")) == ""


def test_only_root_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "mkdir", refused)
    assert hugetlbfs.make(str(tmp_path / "solovirt")) == ""


def test_a_link_put_in_its_place_is_not_opened_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    monkeypatch.setattr(os, "mkdir", lambda path: os.symlink(secret, path))
    assert hugetlbfs.make(str(tmp_path / "solovirt")) == ""
    assert secret.stat().st_mode & 0o7777 == 0o700
