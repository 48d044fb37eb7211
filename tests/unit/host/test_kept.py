import os
from pathlib import Path

import pytest

from solovirt.host import access, kept
from solovirt.kit.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "run")


def test_places(paths: Paths) -> None:
    found = kept.places(paths, "vmi-uid", "vm-uid", None)
    assert found.directory(persistent=True) == paths.state / "vms/vm-uid"
    assert found.directory(persistent=False) == paths.state / "instances/vmi-uid"


@pytest.mark.parametrize("bad", ["", "..", "a/b", "-x", "x" * 65])
def test_what_is_no_uid(paths: Paths, bad: str) -> None:
    with pytest.raises(ValueError):
        kept.places(paths, "vmi", bad)
    kept.discard(paths, bad)


def test_discard(paths: Paths) -> None:
    kept.discard(paths, "vm")
    kept.make(paths.vm("vm"), None)
    (paths.vm("vm") / "nvram.fd").write_bytes(b"x")
    assert kept.existing(paths) == {"vm"}
    kept.discard(paths, "vm")
    assert kept.existing(paths) == set()


def test_a_link_is_not_followed(paths: Paths, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    paths.vm("vm").parent.mkdir(parents=True)
    paths.vm("vm").symlink_to(other)
    kept.discard(paths, "vm")
    assert other.is_dir()


@pytest.mark.skipif(not access.is_root(), reason="gives files away")
def test_only_plain_files_are_given(tmp_path: Path) -> None:
    directory = tmp_path / "tpm"
    directory.mkdir()
    (directory / "state").write_bytes(b"x")
    (directory / "link").symlink_to("/etc/passwd")
    os.link(directory / "state", tmp_path / "second")
    (directory / "other").write_bytes(b"y")
    kept.make_own(directory, (access.BASE, access.BASE))
    owners = {path.name: path.lstat().st_uid for path in directory.iterdir()}
    assert owners == {"state": 0, "link": 0, "other": access.BASE}
    assert directory.stat().st_uid == access.BASE and directory.stat().st_mode & 0o777 == 0o700
