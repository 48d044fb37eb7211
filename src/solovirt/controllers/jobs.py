"""Long work beside the queues: one job a key, looked at by the reconciler, never waited for by it.

A queue's handler must return soon, so that a deletion is heard while an image is being pulled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Jobs(Generic[K, T]):
    """``wake(key)`` is called when a job of that key has ended, unless it was cancelled."""

    def __init__(self, wake: Callable[[K], None]) -> None:
        self._wake = wake
        self._tasks: dict[K, asyncio.Task[T]] = {}

    def get(self, key: K) -> asyncio.Task[T] | None:
        return self._tasks.get(key)

    def start(self, key: K, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Raises RuntimeError when there is one already."""
        if key in self._tasks:
            work.close()
            raise RuntimeError(f"there is a job for {key} already")
        task = asyncio.create_task(work, name=f"job {key}")
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def take(self, key: K) -> T:
        """The result of a job that has ended, which is forgotten. Raises what it raised."""
        return self._tasks.pop(key).result()

    async def cancel(self, key: K) -> None:
        """Ends a job, if there is one, and forgets it."""
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()

    async def close(self) -> None:
        for key in list(self._tasks):
            await self.cancel(key)

    def _ended(self, key: K, task: asyncio.Task[T]) -> None:
        if not task.cancelled() and self._tasks.get(key) is task:
            self._wake(key)
