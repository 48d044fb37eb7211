from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.host.images import files, pull
from solovirt.host.images.index import Cache, Image
from solovirt.host.images.pull import Progress, Pull, Request, is_wanted
from solovirt.host.images.reference import parse
from solovirt.kit.errors import HostError
from tests.unit.host.images.fakes import Registry, qcow2, raw_disk, sha256, tar

KEY = "quay.io/a:latest"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    monkeypatch.setattr(pull, "Skopeo", made.skopeo)
    return made


async def run(
    tmp_path: Path, reference: str = "quay.io/a", *, wanted: tuple[str, ...] = (), current: Image | None = None
) -> tuple[Image | None, list[Progress]]:
    cache = Cache(tmp_path / "images")
    cache.open()
    seen: list[Progress] = []
    request = Request(parse(reference), frozenset(wanted), None, "amd64", {}, "the.field")
    found = await Pull(request, cache.new_workspace(), seen.append).run(current)
    return (cache.publish(*found) if found else None), seen


def test_wanted() -> None:
    assert is_wanted("/disk/a", frozenset())
    assert is_wanted("/boot/vmlinuz", frozenset())
    assert not is_wanted("/boot/grub/x.mod", frozenset())
    assert is_wanted("/opt/k", frozenset({"/opt/k"}))
    assert not is_wanted("/etc/passwd", frozenset())


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("compress", [False, True])
async def test_takes_disks_and_kernels(registry: Registry, tmp_path: Path, index: bool, compress: bool) -> None:
    layer = tar(("disk/a.qcow2", qcow2()), ("boot/vmlinuz", b"k"), ("opt/x", b"x"), ("opt/y", b"y"))
    registry.push(KEY, layer, index=index, compress=compress)
    image, seen = await run(tmp_path, wanted=("/opt/x",))
    assert image is not None
    assert [(f.path, f.format) for f in image.record.files] == [
        ("/boot/vmlinuz", ""),
        ("/disk/a.qcow2", "qcow2"),
        ("/opt/x", "raw"),
    ]
    assert image.digest == registry.names[KEY]
    assert image.record.names == ("/boot/vmlinuz", "/disk/a.qcow2", "/opt/x", "/opt/y")
    assert [p.phase for p in seen] == ["resolving", "pulling", "pulling", "unpacking"]
    assert seen[-1].done == seen[-1].total > 0


async def test_an_unchanged_image_is_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    registry.push(KEY, tar(("disk/a", raw_disk())))
    image, _ = await run(tmp_path)
    registry.requests.clear()
    assert (await run(tmp_path, current=image))[0] is None
    assert registry.requests == [f"inspect {KEY}"]
    registry.push(KEY, tar(("disk/a", raw_disk(b"new"))))
    assert (await run(tmp_path, current=image))[0] is not None


async def test_hostile_disk_is_told_when_it_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    registry.push(KEY, tar(("disk/a", qcow2(backing=b"/etc/shadow")), ("disk/b", raw_disk())))
    image, _ = await run(tmp_path)
    assert image is not None
    assert image.disk("/disk/b").format == "raw"
    with pytest.raises(HostError, match="backing file"):
        image.disk("/disk/a")


async def test_a_digest_reference_must_be_answered_with_it(registry: Registry, tmp_path: Path) -> None:
    digest = registry.push(KEY, tar(("disk/a", raw_disk())))
    registry.names[f"quay.io/a@{digest}"] = digest
    image, _ = await run(tmp_path, f"quay.io/a@{digest}")
    assert image is not None
    wrong = "sha256:" + "0" * 64
    registry.names[f"quay.io/a@{wrong}"] = digest
    with pytest.raises(HostError, match="answered with") as caught:
        await run(tmp_path, f"quay.io/a@{wrong}")
    assert caught.value.reason == "ErrImagePull"
    assert caught.value.field == "the.field"


async def test_a_damaged_layer_is_refused_before_use(registry: Registry, tmp_path: Path) -> None:
    registry.push(KEY, tar(("disk/a", raw_disk())), compress=False)
    layer = sha256(tar(("disk/a", raw_disk())))
    for damaged in (registry.blobs[layer][:-512], b"X" + registry.blobs[layer][1:]):
        registry.blobs[layer] = damaged
        with pytest.raises(HostError, match="arrived damaged"):
            await run(tmp_path)


async def test_a_swapped_inner_manifest_is_refused(registry: Registry, tmp_path: Path) -> None:
    inner = registry.push(KEY, tar(("disk/a", raw_disk())), index=True)
    registry.blobs[inner] = registry.blobs[inner] + b" "
    with pytest.raises(HostError, match="another manifest"):
        await run(tmp_path)


async def test_an_index_in_an_index_is_refused(registry: Registry, tmp_path: Path) -> None:
    inner = registry.push_index({"amd64": "sha256:" + "a" * 64})
    registry.names[KEY] = registry.push_index({"amd64": inner})
    with pytest.raises(HostError, match="index inside an index"):
        await run(tmp_path)


async def test_no_space_is_told_before_the_download(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.push(KEY, tar(("disk/a", raw_disk())))
    monkeypatch.setattr(files, "free_space", lambda directory: 10)
    with pytest.raises(HostError, match="10 bytes free") as caught:
        await run(tmp_path)
    assert caught.value.reason == "StorageFull"
    assert not any(request.startswith("copy") for request in registry.requests)
