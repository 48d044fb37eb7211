from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.host.images import pull, store
from solovirt.host.images.credentials import from_login
from solovirt.host.images.store import ImageStore, Progress
from solovirt.kit.errors import Conflict, HostError, NotFound, Unavailable
from tests.unit.host.images.fakes import Registry, qcow2, raw_disk, tar

KEY = "quay.io/a:latest"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()
    made.push(KEY, tar(("disk/a", raw_disk()), ("opt/kernel", b"k")))
    monkeypatch.setattr(pull, "Skopeo", made.skopeo)
    return made


@pytest.fixture
def used() -> dict[str, str]:
    return {}


@pytest.fixture
async def images(tmp_path: Path, used: dict[str, str]) -> AsyncIterator[ImageStore]:
    made = ImageStore(tmp_path / "images", in_use=lambda: used, environ={})
    await made.open()
    yield made
    await made.close()
    assert os.listdir(tmp_path / "images" / "tmp") == []


def copies(registry: Registry) -> int:
    return sum(request.startswith("copy") for request in registry.requests)


async def test_pull_policies(registry: Registry, images: ImageStore) -> None:
    with pytest.raises(HostError) as caught:
        await images.ensure("quay.io/a", policy="Never", field="f")
    assert caught.value.reason == "ErrImageNeverPull"
    assert caught.value.message == 'Container image "quay.io/a" is not present with pull policy of Never'
    first = await images.ensure("quay.io/a", policy="IfNotPresent")
    requests = len(registry.requests)
    assert await images.ensure("quay.io/a", policy="Never") == first
    assert await images.ensure("quay.io/a", policy="IfNotPresent") == first
    assert len(registry.requests) == requests
    assert await images.ensure("quay.io/a", policy="Always") == first
    assert len(registry.requests) == requests + 1
    with pytest.raises(HostError, match="none of Always"):
        await images.ensure("quay.io/a", policy="always")


async def test_the_default_policy_is_kubernetes(registry: Registry, images: ImageStore) -> None:
    registry.push("quay.io/a:1", tar(("disk/a", raw_disk())))
    for reference, asked_again in (("quay.io/a", True), ("quay.io/a:1", False)):
        await images.ensure(reference)
        before = len(registry.requests)
        await images.ensure(reference)
        assert (len(registry.requests) > before) is asked_again


async def test_always_follows_the_registry_and_fails_with_it(registry: Registry, images: ImageStore) -> None:
    first = await images.ensure("quay.io/a")
    registry.push(KEY, tar(("disk/a", raw_disk(b"new"))))
    second = await images.ensure("quay.io/a")
    assert first.digest != second.digest
    assert Path(second.disk().path).read_bytes().startswith(b"new")
    assert Path(first.disk().path).exists(), "just handed out: somebody may be making an overlay on it"
    registry.reachable = False
    with pytest.raises(HostError) as caught:
        await images.ensure("quay.io/a")
    assert caught.value.reason == "ErrImagePull"


@pytest.mark.parametrize("policy", ["Always", "Never"])
async def test_who_wants_an_image_that_is_built_here_is_told_how(
    registry: Registry, images: ImageStore, policy: str
) -> None:
    registry.reachable = False
    with pytest.raises(HostError) as caught:
        await images.ensure("solovirt/tiny", policy=policy)
    assert caught.value.hint == "solovirt image build tiny"
    with pytest.raises(HostError) as caught:
        await images.ensure("quay.io/solovirt/tiny", policy=policy)
    assert "build" not in caught.value.hint


async def test_a_digest_that_is_here_needs_no_registry(registry: Registry, images: ImageStore) -> None:
    digest = registry.names[KEY]
    registry.names[f"quay.io/a@{digest}"] = digest
    await images.ensure(f"quay.io/a@{digest}", policy="Always")
    registry.reachable = False
    await images.ensure(f"quay.io/a@{digest}", policy="Always")


async def test_concurrent_pulls_are_one_and_all_see_progress(registry: Registry, images: ImageStore) -> None:
    seen: list[list[Progress]] = [[], [], []]
    found = await asyncio.gather(*(images.ensure("quay.io/a", progress=one.append) for one in seen))
    assert copies(registry) == 1
    assert found[0] == found[1] == found[2]
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][-1].phase == "unpacking"


async def test_other_credentials_do_not_share_a_pull(registry: Registry, images: ImageStore) -> None:
    credentials = from_login("quay.io", b"joe", b"x")
    await asyncio.gather(images.ensure("quay.io/a"), images.ensure("quay.io/a", credentials=credentials))
    assert set(registry.seen_credentials) == {None, credentials}


async def test_a_pull_lives_as_long_as_somebody_waits(registry: Registry, images: ImageStore) -> None:
    gate = asyncio.Event()
    registry.before_copy = gate.wait
    first = asyncio.create_task(images.ensure("quay.io/a"))
    second = asyncio.create_task(images.ensure("quay.io/a"))
    while not copies(registry):
        await asyncio.sleep(0.001)
    first.cancel()
    await asyncio.wait({first})
    gate.set()
    assert (await second).disk().format == "raw"
    assert copies(registry) == 1


async def test_a_pull_that_nobody_wants_ends_and_a_newcomer_gets_his_own(
    registry: Registry, images: ImageStore
) -> None:
    gate = asyncio.Event()
    registry.before_copy = gate.wait
    first = asyncio.create_task(images.ensure("quay.io/a"))
    while not copies(registry):
        await asyncio.sleep(0.001)
    first.cancel()
    second = asyncio.create_task(images.ensure("quay.io/a"))
    await asyncio.wait({first})
    gate.set()
    await second
    assert copies(registry) == 2


async def test_closing_stops_pulls(registry: Registry, images: ImageStore) -> None:
    registry.before_copy = asyncio.Event().wait
    waiting = asyncio.create_task(images.ensure("quay.io/a"))
    while not copies(registry):
        await asyncio.sleep(0.001)
    await images.close()
    with pytest.raises(Unavailable):
        await waiting


async def test_a_file_not_taken_before_is_fetched_when_asked_for(registry: Registry, images: ImageStore) -> None:
    registry.push("quay.io/a:1", tar(("disk/a", raw_disk()), ("opt/kernel", b"k")))
    await images.ensure("quay.io/a:1")
    image = await images.ensure("quay.io/a:1", paths=["/opt/kernel"])
    assert image.file("/opt/kernel").read_bytes() == b"k"
    assert image.disk().format == "raw"
    before = copies(registry)
    await images.ensure("quay.io/a:1", paths=["/opt/kernel", "/no/such/file"])
    assert copies(registry) == before
    with pytest.raises(HostError, match="without relative elements"):
        await images.ensure("quay.io/a:1", paths=["/opt/../etc/shadow"])


async def test_imported_images_win_without_network(registry: Registry, images: ImageStore, tmp_path: Path) -> None:
    disk, kernel = tmp_path / "d", tmp_path / "k"
    disk.write_bytes(qcow2())
    kernel.write_bytes(b"kernel")
    registry.reachable = False
    seen: list[Progress] = []
    files = {"/disk/tiny.qcow2": disk, "/boot/vmlinuz": kernel}
    await images.import_file("solovirt/tiny", files, progress=seen.append)
    for policy in ("", "Always", "IfNotPresent", "Never"):
        image = await images.ensure("docker.io/solovirt/tiny:latest", policy=policy, paths=["/boot/none"])
        assert image.disk().format == "qcow2"
        assert image.file("/boot/vmlinuz").read_bytes() == b"kernel"
    assert image.reference == "solovirt/tiny"
    assert image.local
    assert registry.requests == []
    assert seen[-1].done == seen[-1].total == image.size


async def test_an_import_is_told_once_the_image_is_there(tmp_path: Path) -> None:
    disk, told = tmp_path / "d", []
    disk.write_bytes(raw_disk())
    store = ImageStore(tmp_path / "images", imported=lambda: told.extend(store._cache.images()), environ={})
    await store.open()
    await store.import_file("x", {"/disk/d": disk})
    with pytest.raises(HostError):
        await store.import_file("y", {"/disk/d": tmp_path / "none"})
    await store.close()
    assert [image.reference for image in told] == ["x"]


async def test_import_refuses_what_is_no_disk_and_names_it(images: ImageStore, tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(b"KDMV" + bytes(600))
    with pytest.raises(HostError, match="VMDK") as caught:
        await images.import_file("x", {"/disk/a": path})
    assert str(path) in caught.value.message
    with pytest.raises(HostError, match="No such file") as caught:
        await images.import_file("x", {"/disk/a": tmp_path / "none"})
    assert caught.value.reason == "UnreadableFile"
    with pytest.raises(HostError, match="not a regular file"):
        await images.import_file("x", {"/disk/a": tmp_path})
    with pytest.raises(HostError, match="no file"):
        await images.import_file("x", {})
    assert await images.list() == []
    assert os.listdir(images.blobs) == []


async def test_remove(registry: Registry, images: ImageStore, used: dict[str, str]) -> None:
    image = await images.ensure("quay.io/a")
    blob = Path(image.disk().path)
    used[blob.name] = "default/vm"
    with pytest.raises(Conflict, match="in use by default/vm"):
        await images.remove("quay.io/a")
    assert [i.reference for i in await images.list()] == ["quay.io/a"]
    used.clear()
    await images.remove("quay.io/a")
    assert not blob.exists()
    assert await images.list() == []
    with pytest.raises(NotFound, match="not found"):
        await images.remove("quay.io/a")


async def test_a_name_of_a_used_image_may_go_while_another_name_keeps_it(
    registry: Registry, images: ImageStore, used: dict[str, str]
) -> None:
    registry.names["quay.io/a:1"] = registry.names[KEY]
    image = await images.ensure("quay.io/a")
    await images.ensure("quay.io/a:1")
    used[Path(image.disk().path).name] = "default/vm"
    await images.remove("quay.io/a:1")
    assert Path(image.disk().path).exists()


async def test_blobs_of_machines_survive_a_new_pull(
    registry: Registry, images: ImageStore, used: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_GRACE", -1.0)
    old = Path((await images.ensure("quay.io/a")).disk().path)
    used[old.name] = "default/vm"
    registry.push(KEY, tar(("disk/a", raw_disk(b"new"))))
    new = Path((await images.ensure("quay.io/a")).disk().path)
    assert old.exists()
    used.clear()
    await images.collect()
    assert (old.exists(), new.exists()) == (False, True)


async def test_a_failed_pull_leaves_nothing_and_can_be_tried_again(registry: Registry, images: ImageStore) -> None:
    good = registry.names[KEY]
    registry.push(KEY, b"not a tar")
    with pytest.raises(HostError):
        await images.ensure("quay.io/a")
    assert os.listdir(images.blobs) == []
    registry.names[KEY] = good
    assert (await images.ensure("quay.io/a")).disk().format == "raw"
