from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from solovirt.kit.errors import BadRequest, Unavailable
from solovirt.server import streams
from solovirt.server.lifetime import Lifetime


def request(*messages: Message) -> Request:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return Request({"type": "http", "method": "PUT", "path": "/", "headers": []}, receive)


def piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_pieces_of_a_body() -> None:
    given = request(piece(b"a", more=True), piece(b"", more=True), piece(b"b", more=False))
    assert [data async for data in streams.chunks(given)] == [b"a", b"b"]


async def test_a_client_that_goes_in_the_middle() -> None:
    coming = streams.chunks(request(piece(b"a", more=True), {"type": "http.disconnect"}))
    assert await anext(coming) == b"a"
    with pytest.raises(BadRequest, match="went away"):
        await anext(coming)


async def test_disconnected() -> None:
    left: list[Message] = [piece(b"", more=False), {"type": "http.disconnect"}]

    async def receive() -> Message:
        return left.pop(0)

    await streams.disconnected(receive)
    assert left == []


async def test_work_ends_with_the_daemon() -> None:
    lifetime, ended = Lifetime(), asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return 1

    task = asyncio.create_task(streams.unless_stopped(lifetime, work()))
    await asyncio.sleep(0.01)
    lifetime.end()
    with pytest.raises(Unavailable, match="being stopped"):
        await task
    assert ended.is_set()


async def test_a_result_and_a_cancellation_are_passed_on() -> None:
    async def work(seconds: float) -> int:
        await asyncio.sleep(seconds)
        return 7

    assert await streams.unless_stopped(Lifetime(), work(0)) == 7
    task = asyncio.create_task(streams.unless_stopped(Lifetime(), work(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
