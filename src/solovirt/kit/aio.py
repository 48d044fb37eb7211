"""asyncio building blocks: background tasks that are never lost, and a serial queue of work for each key."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)


class TaskSet:
    """Background tasks of one owner: named, logged when they fail, all gone after ``close``."""

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """Runs ``work``. Raises RuntimeError (and closes ``work``) after ``close``."""
        if self._closed:
            work.close()
            raise RuntimeError(f"task {name} was spawned after {self._name or 'its task set'} was closed")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def close(self) -> None:
        """Cancels all tasks and waits until they ended. May be called again, and by one of its own tasks."""
        self._closed = True
        me = asyncio.current_task()
        while others := [task for task in self._tasks if task is not me]:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            # Done callbacks run one step later than the waiters of a task.
            await asyncio.sleep(0)

    async def wait(self) -> None:
        """Waits until all tasks, also those spawned meanwhile, ended by themselves."""
        me = asyncio.current_task()
        while others := [task for task in self._tasks if task is not me]:
            await asyncio.wait(others)
            await asyncio.sleep(0)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            where = f"{self._name}: " if self._name else ""
            _log.error("%stask %s failed", where, task.get_name(), exc_info=error)


AFTER_ERROR = 1.0
"""Seconds that a key whose handler raised is left alone, unless its own turn to be retried comes earlier."""


class SerialQueues(Generic[K]):
    """Work by key, as the workqueues of Kubernetes controllers do it.

    ``handle(key)`` never runs twice at once for one key; a key added any number of times before its turn is handled
    once; one added while it is handled is handled once more afterwards. At most ``workers`` keys at a time. A handler
    that raises is logged and its key retried later and later (``base`` seconds, doubled each time up to ``limit``, with
    up to a fifth of jitter); a success resets that. Until then the key is handled at most once a second, however often
    it is added: what the handler wrote before it raised may be what adds it.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[None]],
        *,
        name: str = "queue",
        workers: int = 16,
        base: float = 0.05,
        limit: float = 60.0,
    ) -> None:
        if workers < 1:
            raise ValueError("a queue needs at least one worker")
        self._handle = handle
        self._name = name
        self._workers = workers
        self._base = base
        self._limit = limit
        self._ready: dict[K, None] = {}
        self._active: dict[K, bool] = {}  # whether the handler has seen the world yet
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._raised: set[K] = set()
        self._tasks = TaskSet(name)
        self._changed = asyncio.Event()
        self._stopped = False
        self._held = False

    def __len__(self) -> int:
        """Keys that are due or being handled."""
        return len(self._ready) + len(self._active)

    def add(self, key: K) -> None:
        """Soon. Does nothing after ``stop``."""
        if self._stopped:
            return
        if key in self._active:
            if self._active[key]:
                self._again.add(key)
            return
        if key in self._raised:
            self.add_after(key, AFTER_ERROR)
            return
        self._ready.setdefault(key)
        self._start_some()

    def hold(self) -> None:
        """Until ``resume``, keys are taken and none is begun."""
        self._held = True

    def resume(self) -> None:
        self._held = False
        self._start_some()

    def add_after(self, key: K, seconds: float) -> None:
        """Not before ``seconds`` have passed; of several waiting times for one key the shortest counts."""
        if self._stopped:
            return
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting.when() <= loop.time() + seconds:
                return
            waiting.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def retry(self, key: K) -> float:
        """Again after a back-off that grows with each call since the last ``forget``; returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._limit, self._base * 2.0 ** min(failures, 30)) * random.uniform(1.0, 1.2)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Starts the back-off of this key anew."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row ``retry`` was called for this key (by a handler or because one raised)."""
        return self._failures.get(key, 0)

    def discard(self, key: K) -> None:
        """Forgets a key that has not started: its timer, its turn, its back-off."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._ready.pop(key, None)
        self._again.discard(key)
        self._raised.discard(key)
        self._failures.pop(key, None)

    async def drain(self) -> None:
        """Waits until nothing is due or being handled. Keys whose time has not come (add_after, retry) don't count."""
        while self._ready or self._active:
            self._changed.clear()
            await self._changed.wait()

    async def stop(self, *, cancel: bool = True) -> None:
        """Takes no more keys, drops those that wait; cancels the running handlers (or awaits them). Idempotent."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._ready.clear()
        self._again.clear()
        if not cancel:
            await self._tasks.wait()
        await self._tasks.close()
        # A task that was cancelled before its first step never came to its own clean-up.
        self._active.clear()
        self._changed.set()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self._raised.discard(key)
        self.add(key)

    def _start_some(self) -> None:
        while self._ready and len(self._active) < self._workers and not self._held:
            key = next(iter(self._ready))
            del self._ready[key]
            self._active[key] = False
            self._tasks.spawn(self._work(key), f"{self._name} {key}")

    async def _work(self, key: K) -> None:
        self._active[key] = True
        before = self._failures.get(key, 0)
        try:
            await self._handle(key)
        except Exception:  # noqa: BLE001  (the root of this key's work; it logs)
            delay = 0.0 if self._stopped else self.retry(key)
            self._raised.add(key)
            _log.exception("%s: %s failed, again in %.1f s", self._name, key, delay)
        else:
            # A handler that asked for a retry itself keeps its count.
            if self._failures.get(key, 0) == before:
                self.forget(key)
        finally:
            self._active.pop(key, None)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            self._start_some()
            self._changed.set()


async def poll(condition: Callable[[], Awaitable[bool]], seconds: float, *, pause: float = 0.05) -> bool:
    """Whether ``condition`` came true, asked again and again for that long; at least once."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(pause)
    return True
