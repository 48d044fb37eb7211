from __future__ import annotations

import asyncio
import threading
import time

import pytest

from solovirt.host.images.threads import Checkpoint, in_thread


async def test_gives_the_result_and_the_error() -> None:
    assert await in_thread(lambda checkpoint: 7) == 7

    def fail(checkpoint: Checkpoint) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await in_thread(fail)


async def test_a_cancelled_caller_goes_on_only_after_the_thread_left() -> None:
    started, left = threading.Event(), threading.Event()

    def work(checkpoint: Checkpoint) -> None:
        started.set()
        try:
            while True:
                checkpoint()
                time.sleep(0.001)
        finally:
            left.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left.is_set()
