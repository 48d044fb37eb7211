from __future__ import annotations

import asyncio
from pathlib import Path

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.controllers.feeds import follow
from solovirt.store import watch
from solovirt.store.objects import Objects
from solovirt.store.watch import Change
from tests.support.waiting import until
from tests.unit.controllers.lab import vm

VMS = registry.VIRTUAL_MACHINES


async def test_everything_comes_and_a_bad_handler_does_not_end_it(tmp_path: Path) -> None:
    store = Objects.open(tmp_path / "solovirt.db")
    await store.create(VMS, vm(name="a"))
    seen: list[tuple[str, str]] = []

    def handle(change: Change[VirtualMachine]) -> None:
        seen.append((change.type, change.name))
        if change.name == "a":
            raise ValueError("a defect")

    task = asyncio.create_task(follow(store, VMS, handle, lambda: seen.append(("missed", ""))))
    await store.create(VMS, vm(name="b"))
    await until(lambda: len(seen) > 1)
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
    await store.close()
    await task


async def test_a_feed_that_fell_behind_begins_anew(tmp_path: Path) -> None:
    store = Objects.open(tmp_path / "solovirt.db")
    seen: list[str] = []
    missed: list[bool] = []

    def handle(change: Change[VirtualMachine]) -> None:
        seen.append(change.name)
        if change.name == "a" and not missed:
            # As if a thousand changes had come while this one was handled.
            for listener in tuple(store._ledger.hub._watches):
                assert isinstance(listener, watch.Watch)
                listener._failure = watch.too_old(1, 2)

    await store.create(VMS, vm(name="a"))
    task = asyncio.create_task(follow(store, VMS, handle, lambda: missed.append(True)))
    await until(lambda: len(seen) > 1)
    assert missed == [True]
    assert seen == ["a", "a"]
    await store.close()
    await task
