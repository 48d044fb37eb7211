from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from starlette.requests import Request
from starlette.types import Message

from solovirt.kit import frames
from solovirt.kit.errors import GuestError
from solovirt.kit.jsontypes import JsonObject
from solovirt.server import bytestreams
from solovirt.server.bytestreams import ByteAnswer
from solovirt.server.lifetime import Lifetime

Script = list[bytes | Exception]


class Sent:
    """An ASGI client; ``slow``: it takes no more than the head and the first piece."""

    def __init__(self, *, leaves: bool = False, slow: bool = False) -> None:
        self.messages: list[Message] = []
        self.leaves, self.slow = leaves, slow

    async def receive(self) -> Message:
        if self.leaves:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.messages.append(dict(message))
        if self.slow and len(self.messages) > 1:
            await asyncio.Event().wait()

    @property
    def complete(self) -> bool:
        last = self.messages[-1] if self.messages else {}
        return last.get("type") == "http.response.body" and not last.get("more_body")

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.messages[1:])


class Source:
    """``open`` says whether what gives the bytes still is."""

    def __init__(self, script: Script) -> None:
        self.script, self.open = script, True

    async def chunks(self) -> AsyncIterator[bytes]:
        for one in self.script:
            if isinstance(one, Exception):
                raise one
            yield one

    def close(self) -> None:
        self.open = False


async def answered(
    script: Script, sent: Sent, lifetime: Lifetime | None = None, *, framed: bool = False, stall: float = 0.0
) -> None:
    source, stack = Source(script), AsyncExitStack()
    stack.callback(source.close)
    answer = ByteAnswer(
        source.chunks(), stack, lifetime or Lifetime(), what="it", framed=framed, headers=[(b"x-a", b"1")], size=6,
        stall=stall,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            await answer({}, sent.receive, sent.send)
    finally:
        assert not source.open


def read(body: bytes) -> tuple[bytes, JsonObject]:
    coming, found = frames.content([body]), b""
    while True:
        try:
            found += next(coming)
        except StopIteration as end:
            said: JsonObject = json.loads(end.value)
            return found, said


async def test_plain() -> None:
    sent = Sent()
    await answered([b"abc", b"", b"def"], sent)
    assert sent.complete and sent.body == b"abcdef"
    assert sent.headers == {b"content-type": b"application/octet-stream", b"x-a": b"1", b"content-length": b"6"}


async def test_framed() -> None:
    sent = Sent()
    await answered([b"abc", b"", b"def"], sent, framed=True)
    assert sent.headers == {b"content-type": frames.MEDIA_TYPE.encode(), b"x-a": b"1"}
    content, said = read(sent.body)
    assert sent.complete and content == b"abcdef" and said["status"] == "Success"


async def test_what_breaks_has_no_end() -> None:
    sent = Sent()
    await answered([b"half", GuestError("QEMU ended")], sent)
    assert sent.body == b"half" and not sent.complete


async def test_what_breaks_says_why_in_frames() -> None:
    sent = Sent()
    await answered([b"half", GuestError("QEMU ended", reason="DumpFailed", hint="try again")], sent, framed=True)
    content, said = read(sent.body)
    assert sent.complete and content == b"half"
    assert (said["status"], said["reason"], said["code"]) == ("Failure", "DumpFailed", GuestError("").code)
    assert str(said["message"]).startswith("QEMU ended")


async def test_a_defect_is_no_reason() -> None:
    sent = Sent()
    with pytest.raises(KeyError):
        await answered([b"half", KeyError("x")], sent, framed=True)
    assert not sent.complete


@pytest.mark.parametrize("framed", [False, True])
async def test_a_client_that_leaves(framed: bool) -> None:
    sent = Sent(leaves=True, slow=True)
    await answered([b"half", b"rest"], sent, framed=framed)
    assert not sent.complete


@pytest.mark.parametrize("framed", [False, True])
async def test_a_client_that_does_not_read(framed: bool) -> None:
    sent = Sent(slow=True)
    await answered([b"half", b"rest"], sent, framed=framed, stall=0.02)
    assert len(sent.messages) == 2 and not sent.complete, "nobody waits for it any more, nor tells it"


async def test_the_daemon_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytestreams, "LAST_WORD_PATIENCE", 0.02)
    for framed in (False, True):
        lifetime, sent = Lifetime(), Sent(slow=True)
        asyncio.get_running_loop().call_later(0.02, lifetime.end)
        await answered([b"half", b"rest"], sent, lifetime, framed=framed)
        assert sent.complete is framed
        if framed:
            content, said = read(sent.body)
            assert content == b"half" and "being stopped" in str(said["message"])


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [([], False), (["*/*"], False), ([frames.MEDIA_TYPE], True), (["*/*", f"{frames.MEDIA_TYPE}, */*"], True)],
)
def test_who_wants_frames(accept: list[str], wanted: bool) -> None:
    headers = [(b"accept", value.encode()) for value in accept]
    assert bytestreams.wants_frames(Request({"type": "http", "headers": headers})) is wanted
