from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from solovirt.host.images import files
from solovirt.host.images.files import SparseWriter
from solovirt.kit.errors import HostError


def test_sizes_for_people() -> None:
    assert [files.format_size(n) for n in (0, 1023, 1536, 3 << 40)] == ["0 bytes", "1023 bytes", "1.5 KiB", "3.0 TiB"]


def test_write_atomic_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "f"
    (tmp_path / "f.partial").write_bytes(b"left by a crash")
    files.write_atomic(target, b"one")
    files.write_atomic(target, b"two", 0o640, durable=False)
    assert target.read_bytes() == b"two"
    assert target.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["f"]


def test_write_atomic_does_not_write_through_a_planted_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    (tmp_path / "f.partial").symlink_to(victim)
    files.write_atomic(tmp_path / "f", b"data")
    assert victim.read_bytes() == b"safe"


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        files.require_space(tmp_path, 1 << 60, "pulling x")
    assert caught.value.reason == "StorageFull"
    assert "pulling x" in caught.value.message
    assert "needs 1048576.0 TiB" in caught.value.message
    assert "free" in caught.value.message
    files.require_space(tmp_path / "not" / "there", 1, "x")


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "StorageFull"), (errno.EIO, "StorageError")])
def test_os_errors_get_a_name(tmp_path: Path, number: int, reason: str) -> None:
    with pytest.raises(HostError) as caught, files.telling(tmp_path, "making x"):
        raise OSError(number, os.strerror(number), "/some/file")
    assert caught.value.reason == reason
    assert caught.value.message.startswith("making x: ")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "not a regular file")):
        with pytest.raises(HostError, match=why) as caught:
            files.open_regular(path, "import")
        assert str(path) in caught.value.message


def test_sparse_writer_hashes_and_leaves_holes(tmp_path: Path) -> None:
    with SparseWriter(tmp_path / "f") as writer:
        for data in (b"a" * 100_000, bytes(1_000_000), b"b", bytes(500_000)):
            writer.write(data)
        writer.commit()
    data = b"a" * 100_000 + bytes(1_000_000) + b"b" + bytes(500_000)
    assert (tmp_path / "f").read_bytes() == data
    import hashlib

    assert writer.sha256 == hashlib.sha256(data).hexdigest()
    assert writer.size == len(data)
    assert writer.stored < 400_000


def test_sparse_writer_takes_itself_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), SparseWriter(tmp_path / "f") as writer:
        writer.write(b"x")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_publish_and_directories(tmp_path: Path) -> None:
    files.make_directory(tmp_path / "a" / "b", 0o700)
    (tmp_path / "a" / "p").write_bytes(b"1")
    files.publish(tmp_path / "a" / "p", tmp_path / "a" / "b" / "t")
    assert (tmp_path / "a" / "b" / "t").read_bytes() == b"1"
    assert not (tmp_path / "a" / "p").exists()


def test_remove_tree_of_files_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "a").touch()
    (directory / "link").symlink_to(outside)
    files.remove_tree(directory)
    files.remove_tree(directory)
    assert not directory.exists() and (outside / "kept").exists()
    (tmp_path / "link").symlink_to(outside)
    with pytest.raises(OSError):
        files.remove_tree(tmp_path / "link")
    assert (outside / "kept").exists()
