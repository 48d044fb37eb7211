from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from solovirt.kit.errors import Conflict, GuestError
from solovirt.server.dump_actions import MemoryAnswer
from solovirt.server.lifetime import Lifetime
from tests.support.asgi import Client
from tests.support.fakes import FakeOperations
from tests.unit.server.manifests import EXT, SUB

VM = f"{SUB}/virtualmachines/halted"
DUMP = f"{EXT}/virtualmachineinstances/bare/memorydump"


async def test_into_a_claim(client: Client, operations: FakeOperations) -> None:
    answer = await client.put(f"{VM}/memorydump", {"claimName": "dumps", "phase": ""})
    assert (answer.status, answer.body) == (202, b"")
    assert (await client.put(f"{VM}/memorydump", {"claimName": "", "phase": ""})).status == 202
    assert (await client.put(f"{VM}/removememorydump", None)).status == 202
    assert operations.calls == [
        ("memorydump", "default", "halted", {"claim": "dumps"}),
        ("memorydump", "default", "halted", {"claim": ""}),
        ("removememorydump", "default", "halted", {}),
    ]
    assert (await client.put(f"{VM}/memorydump", {"claim": "x"})).status == 400
    operations.failure = Conflict("pvc should be filesystem pvc")
    assert (await client.put(f"{VM}/memorydump", {"claimName": "dumps"})).status == 409


async def test_a_stream(client: Client, operations: FakeOperations) -> None:
    answer = await client.get(f"{DUMP}?format=kdump-zlib")
    assert (answer.status, answer.body) == (200, b"\x7fELFrest")
    assert answer.headers["x-solovirt-memory"] == str(1 << 20)
    assert operations.calls == [("stream", "default", "bare", {"form": "kdump-zlib"})]
    assert operations.memory.open == 0
    operations.failure = Conflict("a memory dump is under way")
    assert (await client.get(DUMP)).status == 409


class Sent:
    """An ASGI client; ``slow``: it takes no more than the head."""

    def __init__(self, *, leaves: bool = False, slow: bool = False) -> None:
        self.messages: list[dict[str, object]] = []
        self.leaves, self.slow = leaves, slow

    async def receive(self) -> dict[str, object]:
        if self.leaves:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: object) -> None:
        self.messages.append(dict(message))  # type: ignore[call-overload]
        if self.slow and len(self.messages) > 1:
            await asyncio.Event().wait()

    @property
    def complete(self) -> bool:
        last = self.messages[-1] if self.messages else {}
        return last.get("type") == "http.response.body" and not last.get("more_body")


async def answered(operations: FakeOperations, sent: Sent, lifetime: Lifetime | None = None) -> None:
    stack = AsyncExitStack()
    stream = await stack.enter_async_context(operations.memory.stream("default", "bare", "elf"))
    async with asyncio.timeout(5):
        await MemoryAnswer(stream, stack, lifetime or Lifetime())({}, sent.receive, sent.send)  # type: ignore[arg-type]
    assert operations.memory.open == 0


async def test_a_dump_that_breaks_has_no_end(operations: FakeOperations) -> None:
    operations.memory.script = [b"half", GuestError("QEMU ended")]
    sent = Sent()
    await answered(operations, sent)
    assert [message.get("body") for message in sent.messages] == [None, b"half"] and not sent.complete


async def test_a_client_that_leaves(operations: FakeOperations) -> None:
    sent = Sent(leaves=True, slow=True)
    await answered(operations, sent)
    assert not sent.complete


async def test_a_client_that_does_not_read(operations: FakeOperations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solovirt.server.dump_actions.STALL", 0.02)
    sent = Sent(slow=True)
    await answered(operations, sent)
    assert not sent.complete, "the guest does not stand still for ever"


async def test_the_daemon_stops(operations: FakeOperations) -> None:
    lifetime, sent = Lifetime(), Sent(slow=True)
    asyncio.get_running_loop().call_later(0.02, lifetime.end)
    await answered(operations, sent, lifetime)
    assert not sent.complete
