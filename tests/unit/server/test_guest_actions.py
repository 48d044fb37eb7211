"""``agent`` and ``exec`` of our own group: bodies that are taken, refused, passed on."""

from __future__ import annotations

import base64

import pytest

from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT

VMI = f"{EXT}/virtualmachineinstances/bare"


async def test_agent(client: Client, operations: FakeOperations) -> None:
    answer = await client.post(f"{VMI}/agent", {"command": "guest-ping", "arguments": {"a": 1}})
    assert answer.json() == {"return": {"pong": True}}
    await client.post(f"{VMI}/agent", {"command": "guest-fstrim", "timeoutSeconds": 600})
    assert [options for *_, options in operations.calls] == [
        {"command": "guest-ping", "arguments": {"a": 1}, "timeout": 10},
        {"command": "guest-fstrim", "arguments": {}, "timeout": 600},
    ]


async def test_exec(client: Client, operations: FakeOperations) -> None:
    body = {"command": ["cat", "-"], "env": ["A=b"], "input": base64.b64encode(b"in").decode(), "timeoutSeconds": 5}
    answer = await client.post(f"{VMI}/exec", body)
    assert answer.json() == {
        "exitCode": 3,
        "signal": None,
        "stdout": base64.b64encode(b"out\n").decode(),
        "stderr": base64.b64encode(b"\xff").decode(),
        "stdoutTruncated": True,
        "stderrTruncated": False,
    }
    request = operations.exec_request
    assert request is not None
    assert tuple(request.command) == ("cat", "-") and tuple(request.env) == ("A=b",)
    assert (request.input, request.timeout) == (b"in", 5)


async def test_exec_takes_more_than_other_requests(client: Client, operations: FakeOperations) -> None:
    data = bytes(4 << 20)
    answer = await client.post(f"{VMI}/exec", {"command": ["cat"], "input": base64.b64encode(data).decode()})
    assert answer.status == 200, answer
    assert operations.exec_request is not None and operations.exec_request.input == data


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("agent", {}),
        ("agent", {"command": ""}),
        ("agent", {"command": "x", "arguments": []}),
        ("agent", {"command": "x", "more": 1}),
        ("agent", {"command": "x", "timeoutSeconds": 0}),
        ("agent", {"command": "x", "timeoutSeconds": 1e9}),
        ("exec", {"command": []}),
        ("exec", {"command": [""]}),
        ("exec", {"command": "ls"}),
        ("exec", {"command": ["ls"], "env": ["novalue"]}),
        ("exec", {"command": ["ls"], "env": ["=x"]}),
        ("exec", {"command": ["l\0s"]}),
        ("exec", {"command": ["ls"], "input": "%%"}),
        ("exec", {"command": ["ls"], "timeoutSeconds": 0}),
        ("exec", {"command": ["ls"], "timeoutSeconds": 1e9}),
        ("exec", {"command": ["x"] * 5000}),
    ],
)
async def test_bad_requests(client: Client, operations: FakeOperations, verb: str, body: object) -> None:
    answer = await client.post(f"{VMI}/{verb}", body)
    assert (answer.status, answer.json()["reason"]) == (400, "BadRequest")
    assert operations.calls == []
