from __future__ import annotations

import pytest

from solovirt.kit.errors import Conflict, Forbidden
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.support.machinework import PICTURE
from tests.unit.server.manifests import EXT, SUB

THEIRS = f"{SUB}/virtualmachineinstances/bare"
OURS = f"{EXT}/virtualmachineinstances/bare"


@pytest.mark.parametrize(
    ("path", "verb"),
    [(f"{THEIRS}/softreboot", "softreboot"), (f"{THEIRS}/reset", "reset"), (f"{OURS}/nmi", "nmi")],
)
async def test_buttons(client: Client, operations: FakeOperations, path: str, verb: str) -> None:
    answer = await client.put(path, None)
    assert (answer.status, answer.body) == (200, b"")
    assert operations.calls == [(verb, "default", "bare", {})]
    assert (await client.put(path, {"force": True})).status == 400
    assert (await client.get(path)).status == 405
    operations.failure = Conflict("VM is not running")
    assert (await client.put(path, None)).status == 409


@pytest.mark.parametrize(("query", "moved"), [("", False), ("?moveCursor=false", False), ("?moveCursor=true", True)])
async def test_a_screenshot(client: Client, operations: FakeOperations, query: str, moved: bool) -> None:
    answer = await client.get(f"{THEIRS}/vnc/screenshot{query}")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, PICTURE, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    assert operations.calls == [("screenshot", "default", "bare", {"move_cursor": moved})]


async def test_keys(client: Client, operations: FakeOperations) -> None:
    assert (await client.put(f"{OURS}/sendkeys", {"keys": ["ctrl-c"], "text": "ls", "holdTime": 50})).status == 200
    assert operations.calls[-1][3] == {"keys": ["ctrl-c"], "text": "ls", "hold": 0.05}
    assert (await client.put(f"{OURS}/sendkeys", {"text": "x"})).status == 200
    assert operations.calls[-1][3] == {"keys": [], "text": "x", "hold": 0.02}
    for bad in ({"keys": "a"}, {"keys": [1]}, {"holdTime": "x"}, {"delay": 1}):
        assert (await client.put(f"{OURS}/sendkeys", bad)).status == 400


async def test_the_monitor(client: Client, operations: FakeOperations) -> None:
    answer = await client.post(f"{OURS}/qmp", {"command": "query-status"})
    assert answer.json() == {"return": {"running": True}}
    await client.post(f"{OURS}/qmp", {"command": "device_del", "arguments": {"id": "x"}, "confirm": True})
    assert [options for *_, options in operations.calls] == [
        {"command": "query-status", "arguments": {}, "confirmed": False},
        {"command": "device_del", "arguments": {"id": "x"}, "confirmed": True},
    ]
    for bad in ({}, {"command": ""}, {"command": "x", "confirm": "yes"}, {"command": "x", "arguments": []}, {"c": 1}):
        assert (await client.post(f"{OURS}/qmp", bad)).status == 400
    operations.failure = Forbidden("getfd is refused")
    assert (await client.post(f"{OURS}/qmp", {"command": "getfd"})).status == 403
