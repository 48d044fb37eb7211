"""Waiting inside an event loop for what other tasks and threads do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 60.0
"""Seconds: a busy machine may stop for one at any time."""


async def until(condition: Callable[[], object]) -> None:
    """Until ``condition`` is true. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def turns(count: int = 20) -> None:
    """So many rounds of the loop, however little time they take."""
    for _ in range(count):
        await asyncio.sleep(0)


class Threads(ThreadPoolExecutor):
    """For ``set_default_executor``: it knows who is at work."""

    def __init__(self) -> None:
        super().__init__(8)
        self._at_work: set[Future[object]] = set()

    async def rest(self) -> None:
        """Until what is at work now has ended, unless a test holds it up."""
        if waited := [asyncio.wrap_future(future) for future in self._at_work.copy()]:
            done, _ = await asyncio.wait(waited, timeout=2)
            for one in done:
                one.cancelled() or one.exception()  # seen, and somebody else's

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = super().submit(fn, *args, **kwargs)
        self._at_work.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._at_work.discard)
        return future
