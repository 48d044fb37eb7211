from pathlib import Path

import pytest

from solovirt.host.images.store import ImageStore
from solovirt.kit.errors import HostError, NotFound
from solovirt.kit.json import JsonObject
from solovirt.server.imagecache import ImageCache
from solovirt.server.interfaces import ImportRequest, PullRequest


@pytest.fixture
async def cache(tmp_path: Path) -> ImageCache:
    store = ImageStore(tmp_path / "images")
    await store.open()
    return ImageCache(store)


async def test_import_list_and_remove(cache: ImageCache, tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    told: list[JsonObject] = []
    made = await cache.add(ImportRequest("my/kernel:1", {"/boot/vmlinuz": str(tmp_path / "vmlinuz")}), told.append)
    assert told and told[0]["message"] == "importing my/kernel:1"
    assert (made["files"], made["size"], made["imported"]) == (["/boot/vmlinuz"], 6, True)
    assert str(made["digest"]).startswith("sha256:")
    assert "my/kernel:1" in str(made["reference"])
    assert await cache.list() == [made]
    pulled = await cache.pull(PullRequest("my/kernel:1"), told.append)
    assert pulled == made
    with pytest.raises(NotFound):
        await cache.remove("other:1")


async def test_pull_of_nothing(cache: ImageCache) -> None:
    with pytest.raises(HostError) as caught:
        await cache.pull(PullRequest("example.com/a:1", policy="Never", username="u", password="p"), lambda _: None)
    assert caught.value.reason == "ErrImageNeverPull"
