"""Long blocking work in a thread that a cancelled task can still stop and wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

Checkpoint = Callable[[], None]
"""Called often by the work; raises ``Stopped`` once nobody wants the result any more."""


class Stopped(Exception):
    """The task that waited for this thread was cancelled."""


async def in_thread(work: Callable[[Checkpoint], T], *, interrupt: Callable[[], None] = lambda: None) -> T:
    """``work(checkpoint)`` in a worker thread.

    When the caller is cancelled, the checkpoint starts to raise, ``interrupt`` is called (it wakes work that waits for
    something else), and the cancellation goes on only after the thread has left, so that the caller may delete what it
    worked on.
    """
    stop = threading.Event()

    def checkpoint() -> None:
        if stop.is_set():
            raise Stopped

    running = asyncio.ensure_future(asyncio.to_thread(work, checkpoint))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        interrupt()
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()
        raise
