from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from solovirt.host.images.inspect import inspect
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import overlay
from solovirt.kit.errors import HostError, Invalid
from tests.unit.host.images.fakes import MIB, qcow2, raw_disk
from tests.unit.host.volumes.fakes import QemuImg, fake_qemu_img

HEX = "a" * 64


@pytest.fixture
def img(monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    return fake_qemu_img(monkeypatch)


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    made = tmp_path / "blobs"
    made.mkdir()
    return made


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    made = tmp_path / "instances" / "u-1"
    overlay.make_instance(made)
    return made


def base(blobs: Path, name: str = HEX, data: bytes = raw_disk()) -> DiskImage:
    (blobs / name).write_bytes(data)
    found = inspect(blobs / name)
    return DiskImage(path=str(blobs / name), format=found.format, read_only=True, size=found.virtual_size)


@pytest.mark.parametrize("name", ["../x", "A", "a/b", "", "a,b"])
def test_volume_names_cannot_leave_the_directory(name: str) -> None:
    for place in (overlay.overlay_path, overlay.seed_path):
        with pytest.raises(Invalid, match="not a DNS label"):
            place(Path("/i"), name)


async def test_a_second_preparation_keeps_the_overlay_and_its_own_base(
    img: QemuImg, blobs: Path, instance: Path
) -> None:
    path = overlay.overlay_path(instance, "root")
    first = await overlay.over(path, base(blobs))
    assert first.backing is not None
    assert (first.format, first.size, first.backing.format) == ("qcow2", MIB, "raw")
    newer = base(blobs, "b" * 64, qcow2())
    second = await overlay.over(path, newer)
    assert second == first
    assert len(img.runs) == 1


@pytest.mark.parametrize("backing", [b"/etc/shadow", b"", b"BLOBS/" + b"c" * 64, b"BLOBS/../blobs/" + HEX.encode()])
async def test_an_overlay_over_anything_else_is_made_anew(
    img: QemuImg, blobs: Path, instance: Path, backing: bytes
) -> None:
    path = overlay.overlay_path(instance, "root")
    named = backing.replace(b"BLOBS", str(blobs).encode())
    path.write_bytes(qcow2(backing=named, extensions=[(0xE2792ACA, b"raw")] if named else []))
    found = await overlay.over(path, base(blobs))
    assert found.backing is not None
    assert found.backing.path == str(blobs / HEX)
    assert inspect(path, allow_backing=True).backing == str(blobs / HEX)


async def test_empty_disks_stay_too(img: QemuImg, instance: Path) -> None:
    path = overlay.overlay_path(instance, "scratch")
    assert (await overlay.empty(path, 1000)).size == 1024
    before = path.stat().st_ino
    await overlay.empty(path, 1000)
    assert path.stat().st_ino == before


def claim(instance: Path, name: str = "claim") -> DiskImage:
    path = instance.parent / f"{name}.qcow2"
    path.write_bytes(qcow2())
    return DiskImage(path=str(path), format="qcow2", size=MIB)


async def test_over_a_claim(img: QemuImg, instance: Path) -> None:
    path = overlay.overlay_path(instance, "top")
    under = claim(instance)
    first = await overlay.over_claim(path, under)
    assert (first.format, first.size, first.read_only) == ("qcow2", MIB, False)
    assert first.backing == msgspec.structs.replace(under, read_only=True)
    assert await overlay.over_claim(path, under) == first and len(img.runs) == 1
    other = await overlay.over_claim(path, claim(instance, "other"))
    assert other.backing is not None and other.backing.path != under.path and len(img.runs) == 2
    assert Path(under.path).read_bytes() == qcow2()


@pytest.mark.parametrize("torn", [b"", bytes(4096), b"QFI\xfb"], ids=["emptied", "zeros", "torn"])
async def test_what_a_power_failure_damaged_is_made_anew(
    img: QemuImg, blobs: Path, instance: Path, torn: bytes
) -> None:
    """Such files are renamed into place, but nobody waits until they are on disk."""
    path = overlay.overlay_path(instance, "disk")
    path.write_bytes(torn)
    assert (await overlay.over(path, base(blobs))).backing is not None
    assert inspect(path, allow_backing=True).backing == str(blobs / HEX)
    path.write_bytes(torn)
    await overlay.over_claim(path, claim(instance))
    assert inspect(path, allow_backing=True).backing == claim(instance).path
    path.write_bytes(torn)
    await overlay.empty(path, MIB)
    assert inspect(path).format == "qcow2"


async def test_a_base_that_became_another_format(img: QemuImg, blobs: Path, instance: Path) -> None:
    path = overlay.overlay_path(instance, "root")
    path.write_bytes(qcow2(backing=str(blobs / HEX).encode(), extensions=[(0xE2792ACA, b"qcow2")]))
    found = await overlay.over(path, base(blobs))
    assert found.backing is not None and found.backing.format == "raw"
    assert inspect(path, allow_backing=True).backing_format == "raw"


def test_instances_that_go_meanwhile(blobs: Path, instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Path.iterdir

    def going(path: Path) -> list[Path]:
        found = list(listing(path))
        if path == instance.parent:
            shutil.rmtree(instance)
        return found

    instance.mkdir(exist_ok=True)
    monkeypatch.setattr(Path, "iterdir", going)
    assert overlay.blobs_in_use(instance.parent, blobs) == {}
    assert not instance.exists()


async def test_blobs_in_use(img: QemuImg, blobs: Path, instance: Path) -> None:
    assert overlay.blobs_in_use(instance.parent, blobs) == {}
    await overlay.over(overlay.overlay_path(instance, "root"), base(blobs))
    await overlay.empty(overlay.overlay_path(instance, "scratch"), 512)
    (instance / "odd.qcow2").write_bytes(b"QFI\xfb")
    assert overlay.blobs_in_use(instance.parent, blobs) == {HEX: "u-1"}


def test_direct_io_needs_the_whole_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "supports_direct_io", lambda path, whole: path != "/no")

    def found(top: str, under: str) -> bool:
        backing = DiskImage(path=under, format="raw")
        return overlay.with_direct_io(DiskImage(path=top, format="qcow2", backing=backing)).direct_io

    assert found("/yes", "/yes")
    assert not found("/yes", "/no")
    assert not found("/no", "/yes")


def test_direct_io_on_what_cannot_be_opened(tmp_path: Path) -> None:
    assert not overlay.supports_direct_io(str(tmp_path / "none"))
    (tmp_path / "link").symlink_to(tmp_path)
    assert not overlay.supports_direct_io(str(tmp_path / "link"))


def test_instance_directories_are_private(instance: Path) -> None:
    assert instance.stat().st_mode & 0o777 == 0o700
    (instance / "file").touch()
    with pytest.raises(HostError, match="instance directory"):
        overlay.make_instance(instance / "file" / "x")
    assert os.listdir(instance) == ["file"]


@pytest.mark.parametrize(
    ("smallest", "size", "works"),
    [
        (512, 512 * 3, True),
        (512, 100, False),
        (4096, 4096 * 3, True),
        (4096, 512, False),
        (1, 4096, True),
        (1, 512, False),  # tmpfs: nothing is learned, so QEMU takes the largest
    ],
)
def test_direct_writes_need_whole_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smallest: int, size: int, works: bool
) -> None:
    """QEMU refuses to start otherwise: "Image size is not a multiple of request alignment"."""

    def preadv(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if len(buffers[0]) % smallest:
            raise OSError(22, "Invalid argument")
        return 0

    @contextlib.contextmanager
    def direct(path: str) -> Iterator[int]:
        with open(path, "rb") as file:
            yield file.fileno()

    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(overlay, "_direct", direct)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(size))
    raw = DiskImage(path=str(disk), format="raw")
    assert overlay.with_direct_io(raw).direct_io is works
    assert overlay.with_direct_io(msgspec.structs.replace(raw, read_only=True)).direct_io
    assert overlay.with_direct_io(msgspec.structs.replace(raw, format="qcow2")).direct_io, "it may grow"
