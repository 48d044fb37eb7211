import asyncio

import pytest

from solovirt.kit.errors import BadRequest, Conflict
from solovirt.server.lifetime import Lifetime
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import SUB

CONSOLE = f"{SUB}/virtualmachineinstances/web/console"


@pytest.mark.parametrize("path", [CONSOLE, CONSOLE.replace("/v1/", "/v1alpha3/")])
async def test_bytes_both_ways(client: Client, operations: FakeOperations, path: str) -> None:
    async with client.websocket(path) as socket:
        assert socket.subprotocol == "plain.kubevirt.io"
        socket.send(b"abc\xff")
        assert await socket.receive() == b"ABC\xff"
    assert operations.consoles[0].closed
    assert operations.calls == [("console", "default", "web", {})]


async def test_no_subprotocol_asked_none_given(client: Client) -> None:
    async with client.websocket(CONSOLE, subprotocols=()) as socket:
        assert socket.refusal is None and socket.subprotocol is None


async def test_text_is_ignored(client: Client, operations: FakeOperations) -> None:
    async with client.websocket(CONSOLE) as socket:
        socket.send_text("hello")
        socket.send(b"x")
        assert await socket.receive() == b"X"
    assert operations.consoles[0].written == [b"x"]


async def test_large_output_comes_in_small_messages(client: Client, operations: FakeOperations) -> None:
    async with client.websocket(CONSOLE) as socket:
        operations.consoles[0].output.put_nowait(b"z" * 25000)
        assert [len(await socket.receive()) for _ in range(3)] == [10240, 10240, 4520]


async def test_the_end_of_the_guest_closes_the_socket(client: Client, operations: FakeOperations) -> None:
    async with client.websocket(CONSOLE) as socket:
        operations.consoles[0].end()
        message = await socket.message()
        assert message is not None and (message["type"], message["code"]) == ("websocket.close", 1000)


async def test_a_newer_console_ends_the_older(client: Client) -> None:
    async with client.websocket(CONSOLE) as first, client.websocket(CONSOLE) as second:
        message = await first.message()
        assert message is not None and message["type"] == "websocket.close"
        second.send(b"x")
        assert await second.receive() == b"X"


async def test_the_end_of_the_daemon_closes_the_socket(
    client: Client, operations: FakeOperations, lifetime: Lifetime
) -> None:
    async with client.websocket(CONSOLE) as socket:
        await asyncio.sleep(0.01)
        lifetime.end()
        message = await socket.message()
        assert message is not None and (message["type"], message["code"]) == ("websocket.close", 1001)
    assert operations.consoles[0].closed


@pytest.mark.parametrize(
    ("error", "code"), [(BadRequest("VMI is not running"), 400), (Conflict("VMI is in failed status"), 409)]
)
async def test_refusals_come_before_the_upgrade(
    client: Client, operations: FakeOperations, error: Exception, code: int
) -> None:
    operations.failure = error
    async with client.websocket(CONSOLE) as socket:
        assert socket.refusal is not None and socket.refusal.status == code
        body = socket.refusal.json()
        assert (body["kind"], body["message"]) == ("Status", str(error))
        assert body["details"] == {"name": "web", "group": "kubevirt.io", "kind": "virtualmachineinstances"}


async def test_defects_come_before_the_upgrade_too(client: Client, operations: FakeOperations) -> None:
    operations.failure = ValueError("bug")
    async with client.websocket(CONSOLE) as socket:
        assert socket.refusal is not None and socket.refusal.status == 500
        assert "bug" not in socket.refusal.json()["message"]


async def test_web_pages_are_refused(client: Client, operations: FakeOperations) -> None:
    async with client.websocket(CONSOLE, headers={"origin": "https://evil.example"}) as socket:
        assert socket.refusal is not None and socket.refusal.status == 403
        assert socket.refusal.json()["reason"] == "Forbidden"
    assert operations.calls == []


async def test_other_websockets(client: Client) -> None:
    async with client.websocket(f"{SUB}/virtualmachineinstances/web/vnc") as socket:
        assert socket.refusal is not None
        assert (socket.refusal.status, socket.refusal.body) == (404, b"404 page not found\n")
