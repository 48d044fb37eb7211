from __future__ import annotations

import pytest

from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT

SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/web"
OWN = f"{EXT}/virtualmachineinstances/web"


@pytest.mark.parametrize(("text", "seconds"), [("5m0s", 300.0), ("0s", 0.0), ("1h30m", 5400.0), ("1.5s", 1.5)])
async def test_freeze(client: Client, operations: FakeOperations, text: str, seconds: float) -> None:
    answer = await client.put(f"{SUB}/freeze", {"unfreezeTimeout": text})
    assert (answer.status, answer.body) == (200, b"")
    assert operations.calls == [("freeze", "default", "web", {"timeout": seconds})]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Unfreeze timeout in freeze request is not set"),
        (None, "Unfreeze timeout in freeze request is not set"),
        ({"unfreezeTimeout": "5"}, "invalid duration"),
        ({"unfreezeTimeout": "-1s"}, "at least 0s"),
        ({"unfreezeTimeout": "25h"}, "at most 24h"),
        ({"unfreezeTimeout": 5}, "expected a string"),
        ({"unfreezeTimeout": "5s", "more": 1}, "unknown field"),
    ],
)
async def test_wrong_requests(client: Client, operations: FakeOperations, body: object, said: str) -> None:
    answer = await client.put(f"{SUB}/freeze", body)
    assert (answer.status, said in answer.json()["message"]) == (400, True), answer
    assert operations.calls == []


async def test_unfreeze_needs_no_body(client: Client, operations: FakeOperations) -> None:
    assert (await client.put(f"{SUB}/unfreeze", None)).status == 200
    assert operations.calls == [("thaw", "default", "web", {})]


async def test_a_dry_run_only_looks(client: Client, operations: FakeOperations) -> None:
    await client.put(f"{SUB}/freeze", {"unfreezeTimeout": "5s", "dryRun": ["All"]})
    await client.put(f"{SUB}/unfreeze", {"dryRun": ["All"]})
    assert [call[0] for call in operations.calls] == ["freeze-status", "freeze-status"]


async def test_status(client: Client) -> None:
    assert (await client.get(f"{OWN}/freeze")).json() == {"status": "frozen", "until": "2026-01-02T03:04:05Z"}
