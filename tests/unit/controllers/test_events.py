from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.api.core.event import Event
from solovirt.api.core.namespace import Namespace
from solovirt.api.meta import ObjectMeta
from solovirt.controllers import events as module
from solovirt.controllers.events import Recorder
from solovirt.store.objects import Objects
from tests.unit.controllers.lab import Clock, vm


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Objects]:
    made = Objects.open(tmp_path / "solovirt.db")
    yield made
    await made.close()


def all_of(store: Objects) -> list[Event]:
    return store.list(registry.EVENTS).items


async def test_repeats_are_counted(store: Objects) -> None:
    clock = Clock()
    recorder = Recorder(store, "node", clock.text)
    recorder.start()
    about = await store.create(registry.VIRTUAL_MACHINES, vm())
    recorder.warning(about, "Failed", "no\nway")
    clock.pass_(10)
    recorder.warning(about, "Failed", "no\nway")
    recorder.normal(about, "Done", "yes")
    await recorder.stop()
    failed, done = sorted(all_of(store), key=lambda event: event.type, reverse=True)
    assert (failed.count, failed.message, failed.type) == (2, "no way", "Warning")
    assert failed.first_timestamp != failed.last_timestamp == clock.text()
    assert (failed.involved_object.kind, failed.involved_object.uid) == ("VirtualMachine", about.metadata.uid)
    assert (done.count, done.source.host) == (1, "node")


async def test_old_and_too_many_events_go(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    recorder = Recorder(store, "node", clock.text)
    recorder.start()
    about = await store.create(registry.VIRTUAL_MACHINES, vm())
    recorder.normal(about, "Old", "old")
    await recorder.flush()
    clock.pass_(module.KEPT_SECONDS + 1)
    monkeypatch.setattr(module, "_PRUNE_EVERY", 0.0)
    recorder.normal(about, "New", "new")
    await recorder.flush()
    assert [event.reason for event in all_of(store)] == ["New"]
    monkeypatch.setattr(module, "KEPT_COUNT", 3)
    for number in range(6):
        clock.pass_(1)
        recorder.normal(about, f"R{number}", "x")
    await recorder.stop()
    assert sorted(event.reason for event in all_of(store)) == ["R3", "R4", "R5"]


async def test_an_event_that_was_deleted_is_written_anew(store: Objects) -> None:
    recorder = Recorder(store, "node")
    recorder.start()
    about = await store.create(registry.VIRTUAL_MACHINES, vm())
    recorder.normal(about, "A", "a")
    await recorder.flush()
    await store.delete(registry.EVENTS, "default", all_of(store)[0].metadata.name)
    recorder.normal(about, "A", "a")
    await recorder.stop()
    assert [event.count for event in all_of(store)] == [1]


async def test_a_namespace_that_goes_takes_no_events(store: Objects) -> None:
    recorder = Recorder(store, "node")
    recorder.start()
    await store.create(registry.NAMESPACES, Namespace(metadata=ObjectMeta(name="x")))
    held = vm()
    held.metadata.namespace = "x"
    held.metadata.finalizers = ["test.io/hold"]
    about = await store.create(registry.VIRTUAL_MACHINES, held)
    await store.delete(registry.NAMESPACES, "", "x")
    recorder.normal(about, "A", "a")
    await recorder.stop()
    assert all_of(store) == []


async def test_telling_never_waits(store: Objects) -> None:
    recorder = Recorder(store, "node")
    about = await store.create(registry.VIRTUAL_MACHINES, vm())
    for number in range(module._WAITING + 10):
        recorder.normal(about, "A", str(number))


async def test_one_reason_of_one_object_cannot_write_for_ever(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    recorder = Recorder(store, "node")
    recorder.start()
    about = await store.create(registry.VIRTUAL_MACHINES, vm())
    for number in range(100):
        recorder.warning(about, "Unhealthy", f"what a guest made up: {number}")
        recorder.warning(about, "Again", "the same")
        now += 1
    recorder.normal(about, "Other", "this comes through")
    await recorder.flush()
    assert sum(event.reason == "Unhealthy" for event in all_of(store)) == module.BURST
    assert [event.count for event in all_of(store) if event.reason == "Again"] == [module.BURST]
    assert any(event.reason == "Other" for event in all_of(store))
    now += module.REFILL
    recorder.warning(about, "Unhealthy", "one more")
    recorder.warning(about, "Unhealthy", "and another")
    await recorder.stop()
    assert sum(event.reason == "Unhealthy" for event in all_of(store)) == module.BURST + 1
