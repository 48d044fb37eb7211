from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from solovirt.controllers import memory_stream
from solovirt.hypervisor import dump
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import BadRequest, GuestError
from solovirt.kit.json import JsonObject
from tests.support import descriptors
from tests.support.fakeqemu import FakeQemu


async def handed(qemu: FakeQemu) -> str:
    """The name of the descriptor that QEMU has got."""
    while not qemu.handed:
        await asyncio.sleep(0.001)
    (name,) = qemu.handed
    return name


def state(status: str) -> JsonObject:
    return {"status": status, "completed": 1, "total": 7}


@pytest.fixture
async def qemu(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeQemu]:
    monkeypatch.setattr(dump, "LOOK", 0.01)
    monkeypatch.setattr(memory_stream, "LOOK", 0.01)
    made = FakeQemu()
    made.replies["query-dump-guest-memory-capability"] = {"formats": ["elf"]}
    made.replies["query-dump"] = state("none")
    before = descriptors.count()
    yield made
    made.close()
    assert descriptors.count() == before, "a pipe is left open"


@pytest.fixture
async def tasks() -> AsyncIterator[TaskSet]:
    made = TaskSet("test")
    yield made
    await made.close()


async def read(qemu: FakeQemu, tasks: TaskSet) -> bytes:
    async with memory_stream.opened(cast(Instance, qemu), "elf", tasks) as stream:
        assert stream.memory == 7
        return b"".join([chunk async for chunk in stream.chunks])


async def test_a_whole_dump(qemu: FakeQemu, tasks: TaskSet) -> None:
    reading = asyncio.create_task(read(qemu, tasks))
    name = await handed(qemu)
    qemu.replies["query-dump"] = state("completed")
    content = bytes(range(256)) * 16384  # more than the pipe holds
    await asyncio.to_thread(qemu.write, name, content)
    qemu.happenings.tell("DUMP_COMPLETED", {"result": {}})
    assert await reading == content
    await tasks.wait()
    assert qemu.expected[0] is RunState.SAVE_VM and qemu.expected[-1] is None


async def test_a_dump_that_fails(qemu: FakeQemu, tasks: TaskSet) -> None:
    reading = asyncio.create_task(read(qemu, tasks))
    name = await handed(qemu)
    qemu.replies["query-dump"] = state("failed")
    qemu.write(name, b"half")
    qemu.happenings.tell("DUMP_COMPLETED", {"error": "disk on fire"})
    with pytest.raises(GuestError, match="disk on fire"):
        await reading


async def test_qemu_dies(qemu: FakeQemu, tasks: TaskSet) -> None:
    reading = asyncio.create_task(read(qemu, tasks))
    name = await handed(qemu)
    qemu.write(name, b"half")
    qemu.happenings.lost()
    with pytest.raises(GuestError, match="QEMU ended before the memory dump was complete"):
        await reading


async def test_whoever_leaves_ends_the_dump(qemu: FakeQemu, tasks: TaskSet) -> None:
    qemu.replies["query-dump"] = state("none")
    async with memory_stream.opened(cast(Instance, qemu), "elf", tasks):
        qemu.replies["query-dump"] = state("active")
    with pytest.raises(BrokenPipeError):
        qemu.write(await handed(qemu), b"nobody reads this")
    qemu.replies["query-dump"] = state("failed")
    await tasks.wait()
    assert qemu.expected[-1] is None


async def test_a_refusal_leaves_nothing(qemu: FakeQemu, tasks: TaskSet) -> None:
    with pytest.raises(BadRequest, match="kdump-lzo"):
        async with memory_stream.opened(cast(Instance, qemu), "kdump-lzo", tasks):
            raise AssertionError("it is not open")
    assert len(tasks) == 0
