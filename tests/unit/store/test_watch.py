from __future__ import annotations

import asyncio

import pytest

from solovirt.kit.errors import Expired
from solovirt.kit.json import encode
from solovirt.store.stored import Stored
from solovirt.store.watch import Change, Event, Hub, Watch
from tests.unit.store.kinds import Note, note


def _state(revision: int, name: str = "n", kind: str = "notes", size: int = 0) -> Stored:
    obj = note(name, text="x" * size)
    obj.metadata.resource_version = str(revision)
    return Stored.of(kind, obj)


def _event(revision: int, name: str = "n", kind: str = "notes", size: int = 0) -> Event:
    return Event("ADDED", _state(revision, name, kind, size), None)


def _decode(data: bytes) -> Note:
    import msgspec

    return msgspec.json.decode(data, type=Note)


def _watch(hub: Hub, *, initial: int = 0, since: int | None = None) -> Watch[Note]:
    watch = Watch(
        hub,
        "notes",
        None,
        _decode,
        start=hub.revision if since is None else since,
        initial=[_event(number + 1, f"i{number}") for number in range(initial)],
        missed=[] if since is None else hub.since(since),
    )
    hub.join(watch)
    return watch


async def test_changes_of_other_kinds_are_not_delivered_but_move_the_bookmark() -> None:
    hub = Hub(10)
    watch = _watch(hub)
    hub.publish(_event(11, kind="widgets"))
    assert watch.revision == 11
    hub.publish(_event(12))
    assert watch.revision == 10, "nothing newer than what was delivered"
    assert (await anext(watch)).revision == 12
    assert watch.revision == 12


async def test_no_bookmark_before_the_initial_events_are_delivered() -> None:
    hub = Hub(10)
    watch = _watch(hub, initial=2)
    assert (watch.initial, watch.revision) == (2, 0)
    hub.publish(_event(11, "new"))
    await anext(watch)
    assert watch.revision == 0
    await anext(watch)
    assert watch.revision == 10
    assert (await anext(watch)).name == "new"
    assert watch.revision == 11


async def test_a_waiting_watcher_is_woken_and_ended() -> None:
    hub = Hub(1)
    watch = _watch(hub)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    hub.publish(_event(2))
    assert (await waiting).revision == 2

    async def collect() -> list[int]:
        return [change.revision async for change in watch]

    collecting = asyncio.ensure_future(collect())
    await asyncio.sleep(0)
    hub.publish(_event(3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hub.close()
    assert await collecting == [3]
    late = _watch(hub)
    with pytest.raises(StopAsyncIteration):
        await anext(late)


async def test_a_slow_watcher_is_sent_away_and_others_are_not() -> None:
    hub = Hub(0, max_queue=3)
    slow, quick = _watch(hub), _watch(hub)
    for revision in range(1, 6):
        hub.publish(_event(revision))
        assert (await anext(quick)).revision == revision
    with pytest.raises(Expired) as caught:
        await anext(slow)
    assert caught.value.message == "too old resource version: 0 (4)"
    with pytest.raises(Expired):
        await anext(slow)


async def test_the_window_is_bounded_in_changes() -> None:
    hub = Hub(100, max_changes=3)
    for revision in range(101, 106):
        hub.publish(_event(revision))
    assert [event.revision for event in hub.since(102)] == [103, 104, 105]
    assert hub.since(105) == []
    with pytest.raises(Expired) as caught:
        hub.since(101)
    assert caught.value.message == "too old resource version: 101 (102)"


async def test_the_window_is_bounded_in_bytes() -> None:
    hub = Hub(0, max_bytes=10_000)
    for revision in range(1, 21):
        hub.publish(_event(revision, size=2_000))
    assert 1 <= len(hub.since(16)) == 4
    with pytest.raises(Expired):
        hub.since(10)


async def test_more_missed_changes_than_a_queue_holds_are_all_delivered() -> None:
    hub = Hub(0, max_queue=2)
    for revision in range(1, 11):
        hub.publish(_event(revision))
    watch = _watch(hub, since=3)
    assert [(await anext(watch)).revision for _ in range(7)] == list(range(4, 11))


async def test_a_closed_watch_leaves_the_hub() -> None:
    hub = Hub(0)
    watch = _watch(hub)
    watch.close()
    watch.close()
    hub.publish(_event(1))
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


def test_a_change_decodes_when_asked() -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> Note:
        decoded.append(data)
        return _decode(data)

    old, new = _state(1), _state(2)
    change = Change(Event("MODIFIED", new, old), decode)
    assert (change.type, change.namespace, change.name, change.revision) == ("MODIFIED", "default", "n", 2)
    assert change.data == encode(_decode(new.data))
    assert decoded == []
    assert change.object is change.object
    assert change.previous is not None and change.previous.metadata.resource_version == "1"
    assert decoded == [new.data, old.data]
    assert repr(change) == "Change(MODIFIED notes default/n @2)"
    assert Change(Event("ADDED", new, None), decode).previous is None
