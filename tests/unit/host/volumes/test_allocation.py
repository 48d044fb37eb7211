"""What a file system says of an image."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.host.model.bindings import BlockSizes, DiskImage
from solovirt.host.volumes import allocation
from solovirt.kit.errors import HostError


def image(path: Path, size: int | None = None) -> DiskImage:
    return DiskImage(str(path), "raw", size=size)


def test_a_sparse_file_is_not_preallocated_and_a_full_one_is(tmp_path: Path) -> None:
    sparse, full = tmp_path / "sparse", tmp_path / "full"
    sparse.touch()
    os.truncate(sparse, 1 << 20)
    full.write_bytes(b"x" * (1 << 16))
    with full.open("rb") as stream:
        os.fsync(stream.fileno())
    assert not allocation.described(image(sparse), match_blocks=False).preallocated
    assert allocation.described(image(full), match_blocks=False).preallocated
    assert not allocation.described(image(full, 1 << 20), match_blocks=False).preallocated


def test_an_empty_file_is_not_preallocated(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert not allocation.described(image(tmp_path / "empty"), match_blocks=False).preallocated


def test_blocks_are_those_of_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(b"x")
    size = os.statvfs(path).f_bsize
    assert allocation.described(image(path), match_blocks=True).blocks == BlockSizes(size, size, size)
    assert allocation.described(image(path), match_blocks=False).blocks is None


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file") as caught:
        allocation.described(image(tmp_path / "none"), match_blocks=False)
    assert caught.value.reason == "VolumeUnreadable"
