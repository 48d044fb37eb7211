from __future__ import annotations

import asyncio
import logging
import time

import pytest

from solovirt.kit import aio
from solovirt.kit.aio import SerialQueues, TaskSet
from tests.support.waiting import until


async def _forever() -> None:
    await asyncio.Event().wait()


class Recorder:
    """A handler that notes what runs when; ``gate`` holds it back, ``fail`` makes it raise."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.active: set[str] = set()
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail: dict[str, int] = {}

    async def __call__(self, key: str) -> None:
        assert key not in self.active, f"{key} ran beside itself"
        self.active.add(key)
        self.most = max(self.most, len(self.active))
        try:
            self.runs.append(key)
            await self.gate.wait()
            await asyncio.sleep(0)
            if self.fail.get(key, 0) > 0:
                self.fail[key] -= 1
                raise RuntimeError(f"{key} does not want to")
        finally:
            self.active.discard(key)


async def test_taskset_runs_and_forgets_tasks() -> None:
    tasks = TaskSet()
    seen: list[int] = []

    async def note() -> None:
        seen.append(1)

    task = tasks.spawn(note(), "note")
    assert task.get_name() == "note"
    assert len(tasks) == 1
    await tasks.wait()
    assert seen == [1]
    assert len(tasks) == 0


async def test_taskset_logs_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet("owner")

    async def fail() -> None:
        raise ValueError("broken part")

    tasks.spawn(fail(), "failing")
    with caplog.at_level(logging.ERROR):
        await tasks.wait()
    assert "owner: task failing failed" in caplog.text
    assert "broken part" in caplog.text


async def test_taskset_close_cancels_and_awaits(caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet()
    ended: list[str] = []

    async def slow_end() -> None:
        try:
            await _forever()
        finally:
            await asyncio.sleep(0.01)
            ended.append("cleaned")

    tasks.spawn(slow_end(), "a")
    tasks.spawn(_forever(), "b")
    await asyncio.sleep(0)
    await tasks.close()
    assert ended == ["cleaned"]
    assert len(tasks) == 0
    assert not caplog.records
    await tasks.close()


async def test_taskset_refuses_after_close() -> None:
    tasks = TaskSet("owner")
    await tasks.close()
    with pytest.raises(RuntimeError, match="after owner was closed"):
        tasks.spawn(_forever(), "late")


async def test_taskset_may_be_closed_by_its_own_task() -> None:
    tasks = TaskSet()
    tasks.spawn(_forever(), "other")
    closer = tasks.spawn(tasks.close(), "closer")
    await asyncio.wait_for(closer, 60)
    assert len(tasks) == 0


async def test_a_key_added_many_times_runs_once() -> None:
    handle = Recorder()
    queue = SerialQueues(handle)
    for _ in range(5):
        queue.add("a")
    queue.add("b")
    await queue.drain()
    assert sorted(handle.runs) == ["a", "b"]
    await queue.stop()


async def test_held_keys_wait() -> None:
    handle = Recorder()
    queue = SerialQueues(handle)
    queue.hold()
    queue.add("a")
    queue.add("a")
    await asyncio.sleep(0.01)
    assert len(queue) == 1 and handle.runs == []
    queue.resume()
    await queue.drain()
    assert handle.runs == ["a"]
    await queue.stop()


async def test_a_key_added_while_it_runs_runs_once_more_and_never_beside_itself() -> None:
    handle = Recorder()
    handle.gate.clear()
    queue = SerialQueues(handle)
    queue.add("a")
    await asyncio.sleep(0)
    assert handle.runs == ["a"]
    for _ in range(3):
        queue.add("a")
    await asyncio.sleep(0)
    assert handle.runs == ["a"]
    handle.gate.set()
    await queue.drain()
    assert handle.runs == ["a", "a"]
    await queue.stop()


async def test_worker_limit_and_order() -> None:
    handle = Recorder()
    queue = SerialQueues(handle, workers=2)
    keys = [f"k{number}" for number in range(7)]
    for key in keys:
        queue.add(key)
    await queue.drain()
    assert handle.runs == keys
    assert handle.most == 2
    await queue.stop()


def test_a_queue_needs_a_worker() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        SerialQueues(Recorder(), workers=0)


async def test_add_after_keeps_the_shortest_time() -> None:
    handle = Recorder()
    queue = SerialQueues(handle)
    queue.add_after("a", 30)
    queue.add_after("a", 0.01)
    queue.add_after("a", 30)
    queue.add_after("b", 0)
    await queue.drain()
    assert handle.runs == ["b"]
    await asyncio.sleep(0.05)
    await queue.drain()
    assert handle.runs == ["b", "a"]
    await queue.stop()


async def test_a_handler_that_raises_is_logged_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    handle = Recorder()
    handle.fail["a"] = 3
    queue = SerialQueues(handle, name="vms", base=0.001)
    queue.add("a")
    async with asyncio.timeout(60):
        while len(handle.runs) < 4 or handle.active:
            await asyncio.sleep(0.005)
    await queue.drain()
    assert caplog.text.count("vms: a failed, again in") == 3
    assert "a does not want to" in caplog.text
    assert queue.failures("a") == 0
    await queue.stop()


async def test_retry_grows_up_to_the_limit_and_forget_resets_it() -> None:
    queue = SerialQueues(Recorder(), base=1.0, limit=10.0)
    delays = [queue.retry("a") for _ in range(6)]
    for delay, least in zip(delays, [1, 2, 4, 8, 10, 10], strict=True):
        assert least <= delay <= least * 1.2
    queue.forget("a")
    assert queue.retry("a") <= 1.2
    for _ in range(5000):
        queue.retry("b")
    assert queue.retry("b") <= 12
    await queue.stop()


async def test_a_handler_that_asks_for_a_retry_keeps_its_back_off() -> None:
    queue: SerialQueues[str]

    async def handle(key: str) -> None:
        queue.retry(key)

    queue = SerialQueues(handle, base=0.001, limit=100)
    queue.add("a")
    await queue.drain()
    await until(lambda: queue.failures("a") >= 2)
    await queue.stop()


async def test_discard_drops_what_waits() -> None:
    handle = Recorder()
    queue = SerialQueues(handle)
    queue.add_after("a", 0.01)
    queue.retry("b")
    queue.discard("a")
    queue.discard("b")
    await asyncio.sleep(0.15)
    assert handle.runs == []
    assert queue.failures("b") == 0
    await queue.stop()


async def test_stop_cancels_handlers_and_takes_no_more() -> None:
    handle = Recorder()
    handle.gate.clear()
    queue = SerialQueues(handle, workers=1)
    queue.add("a")
    queue.add("waiting")
    queue.add_after("later", 0.01)
    await asyncio.sleep(0)
    waiter = asyncio.create_task(queue.drain())
    await queue.stop()
    await asyncio.wait_for(waiter, 60)
    queue.add("b")
    queue.add_after("b", 0.001)
    await asyncio.sleep(0.03)
    assert handle.runs == ["a"]
    assert not handle.active


async def test_stop_can_let_handlers_finish() -> None:
    handle = Recorder()
    ended: list[str] = []

    async def slow(key: str) -> None:
        await asyncio.sleep(0.02)
        ended.append(key)

    queue = SerialQueues(slow)
    queue.add("a")
    await asyncio.sleep(0)
    await queue.stop(cancel=False)
    assert ended == ["a"]
    assert handle.runs == []


async def test_stop_right_after_add_does_not_leave_a_key_active() -> None:
    handle = Recorder()
    queue = SerialQueues(handle)
    queue.add("a")
    await queue.stop()
    await asyncio.wait_for(queue.drain(), 60)
    assert handle.runs == []


async def test_a_key_that_raises_is_not_hurried_by_its_own_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a handler wrote before it raised adds its key again; that must not become a loop without a pause."""
    monkeypatch.setattr(aio, "AFTER_ERROR", 0.2)
    handler = Recorder()
    handler.fail["a"] = 1000
    queue = SerialQueues(handler, base=0.15, limit=60)
    queue.add("a")
    began = time.monotonic()
    while (took := time.monotonic() - began) < 0.4 or len(handler.runs) < 2:
        await asyncio.sleep(0.01)
        queue.add("a")
    assert len(handler.runs) <= 2 + took / 0.15
    handler.fail["a"] = 0
    queue.add("a")
    await until(lambda: not queue.failures("a"))
    handler.runs.clear()
    queue.add("a")
    await queue.drain()
    assert handler.runs == ["a"], "after a success it is handled at once again"
    await queue.stop()


async def test_length_of_a_queue_is_what_is_due_or_being_handled() -> None:
    gate = asyncio.Event()

    async def handle(key: str) -> None:
        await gate.wait()

    queue: SerialQueues[str] = SerialQueues(handle, workers=1)
    for key in ("a", "b", "b"):
        queue.add(key)
    queue.add_after("later", 60)
    assert len(queue) == 2
    gate.set()
    await queue.drain()
    assert len(queue) == 0
    await queue.stop()
