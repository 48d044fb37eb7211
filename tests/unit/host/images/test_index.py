from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.host.images.files import SparseWriter
from solovirt.host.images.index import Cache, Image, Record, StoredFile, image_path
from solovirt.host.images.reference import parse
from solovirt.kit.errors import HostError


def record(key: str, *stored: StoredFile, **fields: object) -> Record:
    return Record(
        1, key, "quay.io/a", "2026-01-01T00:00:00Z", files=stored, names=tuple(s.path for s in stored), **fields
    )  # type: ignore[arg-type]


def image(*stored: StoredFile, **fields: object) -> Image:
    return Image(record("quay.io/a:latest", *stored, **fields), Path("/blobs"))


def put(cache: Cache, key: str, path: str, data: bytes) -> Image:
    with SparseWriter(cache.new_workspace() / "f") as writer:
        writer.write(data)
        writer.commit()
    stored = StoredFile(path, writer.sha256, writer.size, "raw", writer.size)
    return cache.publish(record(key, stored), {writer.sha256: writer})


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(tmp_path / "images")
    made.open()
    return made


A = StoredFile("/disk/a.img", "a" * 64, 5, "raw", 512)
B = StoredFile("/disk/b.img", "b" * 64, 5, "qcow2", 1024)
KERNEL = StoredFile("/boot/vmlinuz", "c" * 64, 5)


def test_the_only_disk_or_the_named_one() -> None:
    disk = image(A, KERNEL).disk()
    assert (disk.path, disk.format, disk.read_only, disk.size) == (f"/blobs/{'a' * 64}", "raw", True, 512)
    assert image(A, B).disk("/disk/b.img").format == "qcow2"
    assert image(A, KERNEL).file("/boot/vmlinuz") == Path(f"/blobs/{'c' * 64}")


@pytest.mark.parametrize(
    ("made", "path", "why"),
    [
        (image(A, B), "", "more than one file found in folder /disk, only one disk is allowed (a.img, b.img)"),
        (image(KERNEL), "", "has no file in folder /disk; it has /boot/vmlinuz"),
        (image(), "", "it has no regular files"),
        (image(A), "/disk/c.img", "has no file /disk/c.img; it has /disk/a.img"),
        (image(refusals={"/disk": "a symbolic link"}), "", "has a symbolic link at /disk"),
        (image(refusals={"/x": "a symbolic link"}), "/x/y", "has a symbolic link at /x"),
        (image(refusals={"/disk/l": "a hard link"}), "/disk/l", "has a hard link at /disk/l"),
        (image(StoredFile("/disk/v", "d" * 64, 5, refusal="a VMDK image")), "", "/disk/v: a VMDK image"),
        (image(KERNEL), "/boot/vmlinuz", "not a disk image"),
    ],
)
def test_a_missing_disk_says_what_is_there(made: Image, path: str, why: str) -> None:
    with pytest.raises(HostError) as caught:
        made.disk(path, field="spec.volumes[0].containerDisk.path")
    assert why in caught.value.message
    assert caught.value.field == "spec.volumes[0].containerDisk.path"


@pytest.mark.parametrize("path", ["disk/a", "../a", "/disk/../../etc/shadow", "/./a", "//a", "/", "", "/a\0", "/a/"])
def test_paths_in_images_are_absolute_and_plain(path: str) -> None:
    with pytest.raises(HostError, match="without relative elements") as caught:
        image_path(path, "f")
    assert caught.value.field == "f"


def test_holds() -> None:
    assert image(A).holds(["/disk/a.img", "/not/there"])
    assert not image(A, names_complete=False).holds(["/not/there"])
    listed = Record(1, "k", "r", "", files=(A,), names=("/disk/a.img", "/boot/x/kernel"))
    assert not Image(listed, Path("/")).holds(["/boot/x/kernel"])


def test_publish_and_load(cache: Cache) -> None:
    key = "quay.io/a:latest"
    made = put(cache, key, "/disk/a", b"hello")
    loaded = cache.load(parse("quay.io/a"))
    assert loaded == made
    blob = Path(made.disk().path)
    assert blob.read_bytes() == b"hello"
    assert blob.stat().st_mode & 0o777 == 0o400
    assert cache.load(parse("quay.io/b")) is None


@pytest.mark.parametrize("damage", ["missing", "short", "garbled"])
def test_a_damaged_image_is_not_loaded(cache: Cache, damage: str) -> None:
    blob = Path(put(cache, "quay.io/a:latest", "/disk/a", b"hello").disk().path)
    if damage == "garbled":
        next((cache.root / "index").iterdir()).write_bytes(b"{")
    else:
        blob.unlink()
    if damage == "short":
        blob.write_bytes(b"hell")
    assert cache.load(parse("quay.io/a")) is None


def test_a_restart_sweeps_what_was_half_done(cache: Cache) -> None:
    put(cache, "quay.io/a:latest", "/disk/a", b"hello")
    (cache.new_workspace() / "layer").write_bytes(b"half")
    (cache.root / "index" / "x.json.partial").write_bytes(b"half")
    again = Cache(cache.root)
    again.open()
    assert list((cache.root / "tmp").iterdir()) == []
    assert [path.suffix for path in (cache.root / "index").iterdir()] == [".json"]
    assert again.load(parse("quay.io/a")) is not None


def test_collect_keeps_what_is_named_or_used(cache: Cache) -> None:
    kept = put(cache, "quay.io/a:latest", "/disk/a", b"a")
    used = put(cache, "quay.io/b:latest", "/disk/a", b"b")
    put(cache, "quay.io/c:latest", "/disk/a", b"c")
    assert cache.forget("quay.io/b:latest")
    assert cache.forget("quay.io/c:latest")
    assert not cache.forget("quay.io/c:latest")
    cache.collect({Path(used.disk().path).name})
    assert {path.name for path in cache.blobs.iterdir()} == {Path(i.disk().path).name for i in (kept, used)}
    assert [i.record.key for i in cache.images()] == ["quay.io/a:latest"]


def test_two_images_share_a_blob(cache: Cache) -> None:
    first = put(cache, "quay.io/a:latest", "/disk/a", b"same")
    second = put(cache, "quay.io/b:latest", "/disk/x", b"same")
    assert first.disk().path == second.disk().path
    cache.forget("quay.io/a:latest")
    cache.collect(())
    assert cache.load(parse("quay.io/b")) is not None
    assert second.size == 4
