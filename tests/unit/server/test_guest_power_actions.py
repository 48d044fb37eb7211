"""``suspend`` and ``wakeup``: what their bodies say."""

from __future__ import annotations

import pytest

from solovirt.kit.errors import Conflict
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT

VMI = f"{EXT}/virtualmachineinstances/bare"


async def test_suspend_and_wakeup(client: Client, operations: FakeOperations) -> None:
    assert (await client.put(f"{VMI}/suspend", {})).status == 200
    assert (await client.put(f"{VMI}/suspend", {"mode": "disk", "timeoutSeconds": 5})).status == 200
    assert (await client.put(f"{VMI}/wakeup", {})).status == 200
    assert [(verb, options) for verb, _, _, options in operations.calls] == [
        ("suspend", {"mode": "ram", "timeout": 60}),
        ("suspend", {"mode": "disk", "timeout": 5}),
        ("wakeup", {}),
    ]
    operations.failure = Conflict("VMI is not suspended")
    assert (await client.put(f"{VMI}/wakeup", {})).status == 409


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("suspend", {"mode": "coma"}),
        ("suspend", {"timeoutSeconds": 0}),
        ("suspend", {"timeoutSeconds": 1e6}),
        ("suspend", {"more": 1}),
        ("wakeup", {"mode": "ram"}),
    ],
)
async def test_bad_requests(client: Client, operations: FakeOperations, verb: str, body: object) -> None:
    answer = await client.put(f"{VMI}/{verb}", body)
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")
    assert operations.calls == []
