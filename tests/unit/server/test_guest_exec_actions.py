from __future__ import annotations

import asyncio
import base64
import json

import pytest

from solovirt.controllers.exec_sessions import ExecFrame
from solovirt.kit.errors import GuestError
from solovirt.server.guest_exec_actions import LINE_LIMIT, PIECE
from solovirt.server.lifetime import Lifetime
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.support.guestwork import EXEC_ID
from tests.unit.server.manifests import EXT

EXEC = f"{EXT}/virtualmachineinstances/bare/exec"
STREAM = f"{EXEC}/stream"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def lines(body: bytes) -> list[object]:
    return [json.loads(line) for line in body.splitlines()]


async def test_a_whole_answer(client: Client, operations: FakeOperations) -> None:
    answer = await client.post(STREAM, {"command": ["cat", "-"], "env": ["A=b"], "timeoutSeconds": 5})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert lines(answer.body) == [
        {"id": EXEC_ID},
        {"stdout": b64(b"out\n")},
        {"stderr": b64(b"\xff")},
        {"exitCode": 3, "timedOut": False},
    ]
    request = operations.work.request
    assert request is not None
    assert (request.command, request.env, request.timeout, request.detach) == (("cat", "-"), ("A=b",), 5, False)
    assert operations.work.sessions[0].closed.is_set()
    assert not operations.work.sessions[0].lets_go


async def test_what_follows_the_first_line_is_stdin(client: Client, operations: FakeOperations) -> None:
    pieces = [b'{"comma', b'nd":["cat"]}\nfirst\n', b"second", b"\x00\n"]
    assert (await client.request("POST", STREAM, chunks=pieces)).status == 200
    assert operations.work.stdin == b"first\nsecond\x00\n"


async def test_long_output_is_cut_into_lines(client: Client, operations: FakeOperations) -> None:
    operations.work.script = [ExecFrame("stdout", bytes(PIECE + 1), cut=True), ExecFrame("exit")]
    answer = await client.post(STREAM, {"command": ["x"]})
    found = lines(answer.body)
    assert found[1:] == [
        {"stdout": b64(bytes(PIECE))},
        {"stdout": b64(b"\0")},
        {"stdoutTruncated": True},
        {"exitCode": 0, "timedOut": False},
    ]


async def test_an_error_in_the_middle(client: Client, operations: FakeOperations) -> None:
    operations.work.script = [ExecFrame("stdout", b"o"), GuestError("gone", reason="AgentNotConnected", hint="wait")]
    answer = await client.post(STREAM, {"command": ["x"]})
    error = {"message": "gone", "reason": "AgentNotConnected", "hint": "wait"}
    assert lines(answer.body)[-1] == {"error": error}
    assert operations.work.sessions[0].lets_go, "it may go on, and be found again"
    assert operations.work.sessions[0].closed.is_set()


async def test_a_client_that_leaves_ends_it(client: Client, operations: FakeOperations) -> None:
    operations.work.script = [ExecFrame("stdout", b"o"), None]
    async with client.stream("POST", STREAM, {"command": ["x"]}) as stream:
        await stream.events(2)
        stream.disconnect()
        await asyncio.wait_for(operations.work.sessions[0].closed.wait(), 60)
    assert not operations.work.sessions[0].lets_go


async def test_a_daemon_that_stops_leaves_it(client: Client, operations: FakeOperations, lifetime: Lifetime) -> None:
    operations.work.script = [None]
    async with client.stream("POST", STREAM, {"command": ["x"]}) as stream:
        assert await stream.event() == {"id": EXEC_ID}
        lifetime.end()
        assert await stream.event() == {"detached": EXEC_ID}
        assert await stream.event() is None
    session = operations.work.sessions[0]
    await asyncio.wait_for(session.closed.wait(), 60)
    assert session.lets_go


async def test_detach(client: Client, operations: FakeOperations) -> None:
    answer = await client.request("POST", f"{STREAM}?detach=true", {"command": ["x"]})
    assert answer.json() == {"id": EXEC_ID}
    assert operations.work.request is not None and operations.work.request.detach
    assert operations.work.sessions[0].closed.is_set()


async def test_attach_list_and_kill(client: Client, operations: FakeOperations) -> None:
    answer = await client.get(f"{STREAM}?id={EXEC_ID}")
    assert lines(answer.body)[-1] == {"exitCode": 3, "timedOut": False}
    assert (await client.get(EXEC)).json() == {"items": operations.work.items}
    assert (await client.delete(f"{EXEC}?id={EXEC_ID}")).status == 200
    assert (await client.delete(f"{EXEC}?id={EXEC_ID}&signal=sigusr1")).status == 200
    assert [(call[0], call[3]) for call in operations.calls] == [
        ("exec-attach", {"id": EXEC_ID}),
        ("exec-list", {}),
        ("exec-kill", {"id": EXEC_ID, "signal": None}),
        ("exec-kill", {"id": EXEC_ID, "signal": "USR1"}),
    ]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b""),
        ("", b"[]"),
        ("", b"{"),
        ("", b'{"command":[]}'),
        ("", b'{"command":["x"],"env":["novalue"]}'),
        ("", b'{"command":["x\\u0000"]}'),
        ("", b'{"command":["x"],"timeoutSeconds":-1}'),
        ("", b'{"command":["x"],"timeoutSeconds":1e9}'),
        ("", b'{"command":["x"],"input":"eA=="}'),
        ("?detach=true", b'{"command":["x"],"timeoutSeconds":3}'),
        ("", b" " * (LINE_LIMIT + 1)),
    ],
)
async def test_wrong_requests(client: Client, operations: FakeOperations, query: str, body: bytes) -> None:
    answer = await client.request("POST", STREAM + query, body)
    assert (answer.status, operations.calls) == (400, []), answer


async def test_wrong_ids_and_signals(client: Client, operations: FakeOperations) -> None:
    for given in ("", "../../etc", "x" * 16):
        assert (await client.get(f"{STREAM}?id={given}")).status == 404
        assert (await client.delete(f"{EXEC}?id={given}")).status == 404
    assert (await client.delete(f"{EXEC}?id={EXEC_ID}&signal=NOPE")).status == 400
    assert operations.calls == []
