from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor import lock
from solovirt.kit.errors import HostError
from tests.support import descriptors


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = lock.open_directory(tmp_path)
    yield fd
    os.close(fd)


def test_one_holder_at_a_time(tmp_path: Path, directory: int) -> None:
    assert not lock.is_held(tmp_path)
    held = lock.take(directory)
    assert held is not None
    assert lock.is_held(tmp_path)
    assert lock.take(directory) is None
    assert lock.holders(tmp_path / lock.NAME) == [], "our own process does not count"
    os.close(held)
    assert not lock.is_held(tmp_path)


def test_a_copy_of_the_open_file_keeps_the_lock(tmp_path: Path, directory: int) -> None:
    held = lock.take(directory)
    assert held is not None
    copy = os.dup(held)
    os.close(held)
    assert lock.is_held(tmp_path)
    os.close(copy)
    assert not lock.is_held(tmp_path)


async def test_is_freed(tmp_path: Path, directory: int) -> None:
    held = lock.take(directory)
    assert held is not None
    assert not await lock.is_freed(tmp_path, within=0.02)
    os.close(held)
    assert await lock.is_freed(tmp_path, within=0.02)


def test_links_and_other_things_are_refused(tmp_path: Path, directory: int) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / lock.NAME).symlink_to("elsewhere")
    with pytest.raises(HostError, match=r"cannot open .*qemu\.lock"):
        lock.is_held(tmp_path)
    with pytest.raises(HostError, match=r"cannot open qemu\.lock"):
        lock.take(directory)
    (tmp_path / lock.NAME).unlink()
    os.mkfifo(tmp_path / lock.NAME)
    with pytest.raises(HostError, match="is not a regular file"):
        lock.take(directory)


def test_directory_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("missing", "link"):
        with pytest.raises(HostError):
            lock.open_directory(tmp_path / name)
    assert not lock.is_held(tmp_path / "missing")


def test_no_descriptor_is_left_open(tmp_path: Path, directory: int) -> None:
    held = lock.take(directory)
    assert held is not None
    before = descriptors.count()
    assert lock.is_held(tmp_path)
    assert lock.take(directory) is None
    assert descriptors.count() == before
    os.close(held)
