"""What answers that take long share: the client that leaves, the daemon that stops. Must not know what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from solovirt.kit.errors import BadRequest, Unavailable
from solovirt.server.lifetime import Lifetime

T = TypeVar("T")


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone. Only for requests whose body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """A body of any size, as it comes. Raises BadRequest when the client goes before its end."""
    try:
        async for data in request.stream():
            if data:
                yield data
    except ClientDisconnect as error:
        raise BadRequest("the client went away before its request was complete") from error


async def unless_stopped(lifetime: Lifetime, work: Coroutine[object, object, T]) -> T:
    """The result of ``work``, which is cancelled when the daemon stops: Unavailable is raised then."""
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    with lifetime.ending(stop):
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            if stopped:
                raise Unavailable("the daemon is being stopped") from None
            raise
