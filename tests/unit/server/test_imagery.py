import asyncio
import json

import pytest

from solovirt.kit.errors import HostError
from tests.support.asgi import Client
from tests.support.fakes import FakeImages

IMAGES = "/apis/subresources.solovirt.io/v1/images"


def lines(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in body.splitlines()]


async def test_pull(client: Client, images: FakeImages) -> None:
    answer = await client.post(IMAGES, {"action": "pull", "reference": "a/b:1", "policy": "Always"})
    assert answer.status == 200 and answer.headers["content-type"] == "application/x-ndjson"
    progress, last = lines(answer.body)
    assert progress == {"message": "pulling", "done": 1, "total": 2}
    assert (last["reference"], last["digest"]) == ("a/b:1", "sha256:00")
    assert images.pulls[0].policy == "Always"
    listed = (await client.get(IMAGES)).json()["items"]
    assert [item["reference"] for item in listed] == ["a/b:1"]


async def test_import(client: Client, images: FakeImages) -> None:
    body = {"action": "import", "reference": "my/disk", "files": {"/disk/a.qcow2": "/tmp/a.qcow2"}}
    answer = await client.post(IMAGES, body)
    assert lines(answer.body)[-1]["reference"] == "my/disk"
    assert images.imports[0].files == {"/disk/a.qcow2": "/tmp/a.qcow2"}


async def test_failure_is_the_last_line(client: Client, images: FakeImages) -> None:
    images.failure = HostError("no such image", reason="ErrImagePull", hint="check its name")
    answer = await client.post(IMAGES, {"action": "pull", "reference": "a"})
    assert lines(answer.body)[-1] == {
        "error": "no such image",
        "reason": "ErrImagePull",
        "hint": "check its name",
        "code": 500,
    }


async def test_defect_is_hidden(client: Client, images: FakeImages) -> None:
    images.failure = ValueError("bug")
    last = lines((await client.post(IMAGES, {"action": "pull", "reference": "a"})).body)[-1]
    assert last["reason"] == "InternalError" and "bug" not in str(last["error"])


async def test_a_client_that_leaves_ends_its_own_request(client: Client, images: FakeImages) -> None:
    images.gate = asyncio.Event()
    async with client.stream("POST", IMAGES, {"action": "pull", "reference": "a"}) as stream:
        assert (await stream.event())["message"] == "pulling"
    assert images.cancelled == 1


@pytest.mark.parametrize("target", [f"{IMAGES}?reference=a/b:1", f"{IMAGES}/a/b:1"])
async def test_remove(client: Client, images: FakeImages, target: str) -> None:
    images.known["a/b:1"] = {"reference": "a/b:1"}
    answer = await client.delete(target)
    assert (answer.status, answer.json()["status"]) == (200, "Success")
    assert images.known == {}
    assert (await client.delete(target)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "steal", "reference": "a"},
        {"action": "pull", "reference": ""},
        {"action": "pull", "reference": "a", "files": {"/a": "/b"}},
        {"action": "pull", "reference": "a", "policy": "Sometimes"},
        {"action": "pull", "reference": "a", "unknown": 1},
        {"action": "import", "reference": "a"},
        {"action": "import", "reference": "a", "files": {"a": "/b"}},
        {"action": "import", "reference": "a", "files": {"/a": "b"}},
        {"action": "import", "reference": "a", "files": {"/a": "/b"}, "policy": "Always"},
        {"action": "import", "reference": "a", "files": {f"/{i}": "/b" for i in range(65)}},
    ],
)
async def test_bad_requests(client: Client, images: FakeImages, body: object) -> None:
    answer = await client.post(IMAGES, body)
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest"), answer
    assert not images.pulls and not images.imports


async def test_other_methods(client: Client) -> None:
    assert (await client.delete(IMAGES)).status == 400
    assert (await client.put(IMAGES, {})).status == 405
