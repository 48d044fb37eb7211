from __future__ import annotations

import pytest

from solovirt.kit import frames
from solovirt.kit.errors import Conflict, GuestError
from solovirt.server import dump_actions
from solovirt.server.bytestreams import ByteAnswer
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


async def test_a_dump_that_breaks(client: Client, operations: FakeOperations) -> None:
    operations.memory.script = [b"half", GuestError("QEMU ended", reason="DumpFailed")]
    answer = await client.get(DUMP, headers={"accept": f"{frames.MEDIA_TYPE}, */*"})
    assert answer.headers["content-type"] == frames.MEDIA_TYPE
    assert answer.headers["x-solovirt-memory"] == str(1 << 20)
    assert answer.body.startswith(frames.frame(b"half") + frames.last_word(b""))
    assert b'"QEMU ended"' in answer.body and b'"DumpFailed"' in answer.body
    assert operations.memory.open == 0


async def test_nobody_is_waited_for_without_end(
    client: Client, operations: FakeOperations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guest stands still meanwhile."""
    given: list[float] = []

    class Seen(ByteAnswer):
        def __init__(self, *about: object, stall: float, **more: object) -> None:
            given.append(stall)
            super().__init__(*about, stall=stall, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(dump_actions, "ByteAnswer", Seen)
    assert (await client.get(DUMP)).status == 200
    assert given == [60.0]
