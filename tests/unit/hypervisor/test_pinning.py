from __future__ import annotations

import os
import threading

import pytest

from solovirt.hypervisor import pinning
from solovirt.hypervisor.model import Pinning
from solovirt.kit.errors import HostError
from solovirt.kit.json import Json, JsonObject


class Machine:
    uid = "1"

    def __init__(self, *threads: int) -> None:
        self.pid = os.getpid()
        self.reply: Json = [{"cpu-index": index, "thread-id": thread} for index, thread in enumerate(threads)]

    async def qmp(self, command: str, arguments: JsonObject | None = None) -> Json:
        assert command == "query-cpus-fast"
        return self.reply


async def test_threads_that_are_not_its_own_are_left_alone() -> None:
    before = os.sched_getaffinity(1)
    with pytest.raises(HostError, match="not its own"):
        await pinning.apply(Machine(1), Pinning((0,)))
    with pytest.raises(HostError, match="1 vCPU threads, expected 2"):
        await pinning.apply(Machine(1), Pinning((0, 1)))
    assert os.sched_getaffinity(1) == before


async def test_each_thread_gets_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    done: dict[int, tuple[int, ...]] = {}
    realtime: list[int] = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cpus: done.update({thread: tuple(cpus)}))
    monkeypatch.setattr(os, "sched_setscheduler", lambda thread, policy, param: realtime.append(thread))
    stop = threading.Event()
    workers = [threading.Thread(target=stop.wait) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        first, second = (worker.native_id or 0 for worker in workers)
        await pinning.apply(Machine(first, second), Pinning((4,), (6, 7), realtime=(0,)))
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert done[first] == (4,)
    assert done[second] == (6, 7), "a vCPU without one of its own"
    assert done[os.getpid()] == (6, 7)
    assert realtime == [first]


async def test_no_real_time_without_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cpus: None)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(HostError, match="real-time priority") as caught:
        await pinning.apply(Machine(os.getpid()), Pinning((0,), realtime=(0,)))
    assert "LimitRTPRIO" in caught.value.hint


def test_ranges() -> None:
    assert pinning.ranges([3, 1, 2, 8, 8]) == "1-3,8"
    assert pinning.ranges([]) == ""
