from __future__ import annotations

import asyncio
import time

import pytest

from solovirt.hypervisor import resets
from solovirt.hypervisor.resets import Resets
from solovirt.kit.errors import Conflict


async def test_nothing_to_wait_for() -> None:
    async with asyncio.timeout(resets.ECHO / 2):
        await Resets().over()


async def test_each_reset_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resets, "ECHO", 0.2)
    watched = Resets()
    watched.seen()
    waiting = asyncio.create_task(watched.over())
    await asyncio.sleep(0.1)
    watched.seen()
    last = time.monotonic()
    await waiting
    assert time.monotonic() - last >= 0.19


async def test_no_end_of_resets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resets, "ECHO", 0.05)
    monkeypatch.setattr(resets, "PATIENCE", 0.1)
    watched = Resets()

    async def loop() -> None:
        while True:
            watched.seen()
            await asyncio.sleep(0.01)

    looping = asyncio.create_task(loop())
    await asyncio.sleep(0)
    try:
        with pytest.raises(Conflict, match="reset again and again") as caught:
            await watched.over()
        assert caught.value.hint == "pause it first"
    finally:
        looping.cancel()
