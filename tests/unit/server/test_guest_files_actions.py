from __future__ import annotations

import asyncio

import pytest

from solovirt.hypervisor.agent_copy import Look
from solovirt.kit import frames
from solovirt.kit.errors import GuestError
from solovirt.server.lifetime import Lifetime
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT

FILES = f"{EXT}/virtualmachineinstances/bare/files"


async def test_put_as_it_comes(client: Client, operations: FakeOperations) -> None:
    answer = await client.request("PUT", f"{FILES}?path=/etc/x%20y&mode=0750", chunks=[b"ab", b"", b"c"])
    assert answer.json() == {"path": "/etc/x y", "size": 3, "sha256": "", "verified": "size"}
    assert operations.work.written == [b"ab", b"c"]
    assert operations.calls[0][3] == {"path": "/etc/x y", "mode": 0o750}


async def test_get(client: Client, operations: FakeOperations) -> None:
    answer = await client.get(f"{FILES}?path=/etc/x")
    assert (answer.status, answer.body) == (200, b"abcdef")
    assert answer.headers["content-length"] == answer.headers["x-solovirt-size"] == "6"
    assert answer.headers["x-solovirt-mode"] == "0640"
    assert answer.headers["x-solovirt-sha256"] == "0" * 64
    assert operations.work.open_files == 0


async def test_what_is_not_known_is_not_told(client: Client, operations: FakeOperations) -> None:
    operations.work.look = Look(0)
    answer = await client.get(f"{FILES}?path=/proc/x")
    assert answer.body == b"abcdef"
    assert not {"content-length", "x-solovirt-mode", "x-solovirt-sha256"} & set(answer.headers)


async def test_a_copy_that_breaks_is_shorter_than_announced(client: Client, operations: FakeOperations) -> None:
    operations.work.content = [b"abc", GuestError("became shorter")]
    async with client.stream("GET", f"{FILES}?path=/etc/x") as stream:
        assert stream.headers["content-length"] == "6"
        assert await stream.chunk() == b"abc"
        assert await stream.chunk() == b""
    assert operations.work.open_files == 0


async def test_a_copy_that_breaks_says_why_in_frames(client: Client, operations: FakeOperations) -> None:
    operations.work.content = [b"abc", GuestError("became shorter", reason="FileChanged")]
    answer = await client.get(f"{FILES}?path=/etc/x", headers={"accept": f"{frames.MEDIA_TYPE}, */*"})
    assert answer.headers["content-type"] == frames.MEDIA_TYPE and "content-length" not in answer.headers
    assert (answer.headers["x-solovirt-size"], answer.headers["x-solovirt-mode"]) == ("6", "0640")
    assert answer.body.startswith(frames.frame(b"abc") + frames.last_word(b""))
    assert b'"became shorter"' in answer.body and b'"FileChanged"' in answer.body
    assert operations.work.open_files == 0


async def test_a_client_that_leaves_closes_the_file(client: Client, operations: FakeOperations) -> None:
    gate = asyncio.Event()

    async def endless() -> object:
        yield b"abc"
        await gate.wait()

    operations.work._chunks = endless  # type: ignore[method-assign, assignment]
    async with client.stream("GET", f"{FILES}?path=/etc/x") as stream:
        await stream.chunk()
        assert operations.work.open_files == 1
        stream.disconnect()
        async with asyncio.timeout(60):
            while operations.work.open_files:
                await asyncio.sleep(0.01)


async def test_a_daemon_that_stops_ends_a_copy(client: Client, operations: FakeOperations, lifetime: Lifetime) -> None:
    operations.work.gate = asyncio.Event()
    copying = asyncio.create_task(client.request("PUT", f"{FILES}?path=/x", b"abc"))
    async with asyncio.timeout(60):
        while not operations.work.written:
            await asyncio.sleep(0.01)
    lifetime.end()
    answer = await copying
    assert (answer.status, "being stopped" in answer.json()["message"]) == (503, True)


@pytest.mark.parametrize("query", ["", "?mode=0644", "?path=/x&mode=9", "?path=/x&mode=rwx", "?path=/x&mode=07777777"])
async def test_wrong_requests(client: Client, operations: FakeOperations, query: str) -> None:
    assert (await client.request("PUT", f"{FILES}{query}", b"x")).status == 400
    assert operations.calls == []


async def test_a_path_is_needed(client: Client) -> None:
    assert (await client.get(FILES)).status == 400
