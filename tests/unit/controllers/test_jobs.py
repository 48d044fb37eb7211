from __future__ import annotations

import asyncio

import pytest

from solovirt.controllers.jobs import Jobs


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def test_a_job_wakes_when_it_has_ended() -> None:
    woken: list[str] = []
    jobs: Jobs[str, int] = Jobs(woken.append)
    task = jobs.start("a", give(3))
    assert jobs.get("a") is task
    with pytest.raises(RuntimeError):
        jobs.start("a", give(4))
    await task
    await asyncio.sleep(0)
    assert woken == ["a"]
    assert jobs.take("a") == 3
    assert jobs.get("a") is None


async def test_a_failure_is_handed_on() -> None:
    async def fail() -> int:
        raise ValueError("no")

    woken: list[str] = []
    jobs: Jobs[str, int] = Jobs(woken.append)
    jobs.start("a", fail())
    await asyncio.sleep(0.001)
    assert woken == ["a"]
    with pytest.raises(ValueError, match="no"):
        jobs.take("a")


async def test_a_cancelled_job_wakes_nobody() -> None:
    async def wait() -> int:
        await asyncio.sleep(60)
        return 1

    woken: list[str] = []
    jobs: Jobs[str, int] = Jobs(woken.append)
    first = jobs.start("a", wait())
    second = jobs.start("b", wait())
    await jobs.cancel("a")
    await jobs.cancel("nothing")
    await jobs.close()
    assert first.cancelled()
    assert second.cancelled()
    assert woken == []
