"""A full disk: the write fails and says so, what was there stays, and writing works again when there is space."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.store.objects import Objects
from tests.unit.store.kinds import NOTES, note

pytestmark = pytest.mark.real

BIG = "x" * 100_000


async def _fill(objects: Objects) -> tuple[list[str], HostError]:
    """Writes until it fails; the names that were acknowledged, and the failure."""
    written: list[str] = []
    for number in range(400):
        name = f"n{number}"
        try:
            await objects.create(NOTES, note(name, big=BIG))
        except HostError as error:
            return written, error
        written.append(name)
    raise AssertionError("the disk never got full")


def _names(objects: Objects) -> list[str]:
    return sorted(item.metadata.name for item in objects.list(NOTES).items)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root; the file size limit is tested instead")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_file_system(small_disk: Path) -> None:
    database = small_disk / "state" / "solovirt.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 << 20))
    objects = Objects.open(database)
    watch = objects.watch(NOTES)
    written, error = await _fill(objects)
    assert error.reason == "StorageFull"
    assert str(database) in error.message
    assert written, "some fit"
    assert _names(objects) == sorted(written)
    revision = objects.revision
    with pytest.raises(HostError):
        await objects.create(NOTES, note("still-full", big=BIG * 20))
    assert objects.revision == revision

    ballast.unlink()
    made = await objects.create(NOTES, note("after", big=BIG))
    assert int(made.metadata.resource_version) > revision
    expected = sorted([*written, "after"])
    assert [(await anext(watch)).name for _ in range(len(expected))] == [*written, "after"]
    await objects.close()
    again = Objects.open(database)
    assert _names(again) == expected
    await again.close()


async def test_a_store_on_a_full_file_system_can_be_opened_and_read(small_disk: Path) -> None:
    database = small_disk / "state" / "solovirt.db"
    objects = Objects.open(database)
    written, _ = await _fill(objects)
    await objects.close()
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            pass
    objects = Objects.open(database)
    assert _names(objects) == sorted(written)
    await objects.close()


async def test_a_new_store_on_a_full_file_system(small_disk: Path) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(bytes(4096)):
                pass
        except OSError:
            pass
    with pytest.raises(HostError) as caught:
        Objects.open(small_disk / "state" / "solovirt.db")
    assert caught.value.reason in ("StorageFull", "StorageError")
    assert "space" in caught.value.message


async def test_a_file_size_limit(tmp_path: Path) -> None:
    """What an ordinary user meets: a limit or a quota, with space left on the disk."""
    database = tmp_path / "state" / "solovirt.db"
    objects = Objects.open(database)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        written, error = await _fill(objects)
        many = await asyncio.gather(
            *(objects.create(NOTES, note(f"m{number}", big=BIG)) for number in range(20)), return_exceptions=True
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.reason in ("StorageFull", "StorageError")
    assert error.hint
    written += [f"m{number}" for number, result in enumerate(many) if not isinstance(result, BaseException)]
    assert _names(objects) == sorted(written)
    await objects.create(NOTES, note("after", big=BIG))
    await objects.close()
    objects = Objects.open(database)
    assert _names(objects) == sorted([*written, "after"])
    await objects.close()
