from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from solovirt.kit.errors import AlreadyExists, Conflict, HostError, SolovirtError
from solovirt.store import writer as writer_module
from solovirt.store.ledger import Draft, Ledger
from solovirt.store.objects import Objects
from solovirt.store.stored import Key, Stored, Table
from tests.unit.store.kinds import NOTES, WIDGETS, Widget, note, open_store, widget


class Disk:
    """Makes commits fail on demand, as a full disk would, and can hold the writer's thread before one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.failed = 0
        commit = writer_module.Writer._commit

        def guarded(writer: writer_module.Writer, group: list[writer_module.Write]) -> HostError | None:
            if not self.full:
                return commit(writer, group)
            self.failed += 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            return writer_module.schema.explain(error, Path("/x/solovirt.db"))

        monkeypatch.setattr(writer_module.Writer, "_commit", guarded)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def _draft(*, dry: bool = False) -> Draft:
    return Draft(Table(), 10, dry=dry)


def test_a_draft_numbers_its_writes_and_says_what_to_write() -> None:
    draft = _draft()
    stored = draft.put("notes", note())
    edited = draft.edit(stored, lambda meta, value: meta.labels.update(a="b"))
    last = draft.drop(edited)
    assert [event.type for event in draft.events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event.revision for event in draft.events] == [11, 12, 13]
    assert draft.events[1].before == stored
    assert (last.revision, last.labels, draft.revision) == (13, {"a": "b"}, 13)
    verbs = [sql.split()[0] for sql, _ in draft.statements()]
    assert verbs == ["INSERT", "INSERT", "DELETE", "UPDATE"]
    assert draft.statements()[-1][1] == (13,)


def test_a_draft_rolls_back_to_the_state_before() -> None:
    table = Table()
    old = Stored.of("notes", note("old"))
    table.set(old.key, old)
    table.set_record("pin", "x", b"1")
    before = table.copy()
    draft = Draft(table, 10, dry=False)
    draft.edit(old, lambda meta, value: meta.labels.update(a="b"))
    draft.put("notes", note("new"))
    draft.drop(draft.head.get(old.key) or old)
    draft.set_record("pin", "x", None)
    draft.set_record("pin", "y", b"2")
    draft.roll_back()
    assert table.objects == before.objects
    assert table.owned == before.owned
    assert table.records == before.records


def test_a_dry_draft_leaves_versions_alone() -> None:
    draft = _draft(dry=True)
    stored = draft.put("notes", note())
    assert (stored.revision, draft.revision) == (0, 10)
    assert draft.drop(stored).revision == 0


def test_records_move_no_revision() -> None:
    draft = _draft()
    draft.set_record("pin", "x", b"1")
    draft.set_record("pin", "x", b"1")
    draft.set_record("pin", "x", None)
    assert [sql.split()[0] for sql, _ in draft.statements()] == ["INSERT", "DELETE"]


async def test_a_full_disk_fails_the_write_and_nothing_else(database: Path, disk: Disk) -> None:
    objects = open_store(database)
    kept = await objects.create(WIDGETS, widget("kept"))
    revision = objects.revision
    watch = objects.watch(WIDGETS, since=revision)
    disk.full = True
    with pytest.raises(HostError) as caught:
        await objects.create(WIDGETS, widget("lost"))
    assert caught.value.reason == "StorageFull"
    assert "free some space" in caught.value.hint
    with pytest.raises(HostError):
        await objects.delete(WIDGETS, "default", "kept")
    assert objects.get(WIDGETS, "default", "kept") == kept
    assert objects.find(WIDGETS, "default", "lost") is None
    assert objects.revision == revision
    disk.full = False
    made = await objects.create(WIDGETS, widget("lost"))
    assert int(made.metadata.resource_version) > revision
    assert (await anext(watch)).object == made
    await objects.close()
    objects = open_store(database)
    assert [item.metadata.name for item in objects.list(WIDGETS).items] == ["kept", "lost"]
    await objects.close()


async def test_everything_worked_out_on_top_of_a_failed_write_fails_too(database: Path, disk: Disk) -> None:
    objects = open_store(database)
    disk.full = True
    first = asyncio.ensure_future(objects.create(WIDGETS, widget()))
    await asyncio.sleep(0)

    def grow(found: Widget) -> bool:
        found.spec.size += 1
        return True

    # It sees the widget that is being written, and must not survive it.
    second = asyncio.ensure_future(objects.modify(WIDGETS, "default", "w", grow))
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(result, HostError) for result in results)
    disk.full = False
    assert objects.list(WIDGETS).items == []
    assert (await objects.create(WIDGETS, widget())).spec.size == 1
    await objects.close()


async def test_a_verdict_that_rested_on_a_failed_write_is_worked_out_again(database: Path, disk: Disk) -> None:
    objects = open_store(database)
    disk.full = True
    first = asyncio.ensure_future(objects.create(WIDGETS, widget()))
    await asyncio.sleep(0)
    # In the serial order it comes after `first` and would be AlreadyExists; but `first` never comes to be.
    second = asyncio.ensure_future(objects.create(WIDGETS, widget(), dry_run=True))
    await asyncio.sleep(0)
    with pytest.raises(HostError):
        await first
    disk.full = False
    assert (await second).metadata.name == "w"
    await objects.close()


async def test_a_late_failure_of_old_writes_leaves_newer_ones_alone(
    database: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, entered = threading.Semaphore(0), threading.Semaphore(0)
    write = writer_module.Writer._write

    def in_turn(writer: writer_module.Writer, group: list[writer_module.Write]) -> None:
        entered.release()
        assert turns.acquire(timeout=10)
        write(writer, group)

    monkeypatch.setattr(writer_module.Writer, "_write", in_turn)
    objects = open_store(database)
    disk.full = True
    first = asyncio.ensure_future(objects.create(WIDGETS, widget("first")))
    await asyncio.to_thread(entered.acquire)
    second = asyncio.ensure_future(objects.create(WIDGETS, widget("second")))
    await asyncio.sleep(0)
    turns.release()
    with pytest.raises(HostError):
        await first
    disk.full = False
    third = asyncio.ensure_future(objects.create(WIDGETS, widget("third")))
    await asyncio.sleep(0)
    turns.release(100)
    with pytest.raises(HostError):
        await second
    await third
    with pytest.raises(AlreadyExists):
        await objects.create(WIDGETS, widget("third"))
    assert [item.metadata.name for item in objects.list(WIDGETS).items] == ["third"]
    await objects.close()


async def test_a_verdict_waits_for_the_write_it_rests_on(objects: Objects) -> None:
    first = asyncio.ensure_future(objects.create(WIDGETS, widget()))
    await asyncio.sleep(0)
    with pytest.raises(AlreadyExists):
        await objects.create(WIDGETS, widget())
    assert first.done() or objects.find(WIDGETS, "default", "w") is not None
    await first


async def test_an_unchanged_write_waits_for_what_it_rests_on(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    made.spec.size = 2
    first = asyncio.ensure_future(objects.update(WIDGETS, made))
    await asyncio.sleep(0)
    assert objects.get(WIDGETS, "default", "w").spec.size == 1
    same = await objects.modify(WIDGETS, "default", "w", lambda found: False)
    assert same.spec.size == 2
    assert objects.get(WIDGETS, "default", "w") == same, "read after write"
    await first


async def test_many_failures_and_successes_in_turn_keep_memory_and_disk_equal(database: Path, disk: Disk) -> None:
    objects = open_store(database)

    async def attempt(number: int) -> str | None:
        name = f"n{number % 7}"
        try:
            if number % 3 == 2:
                await objects.delete(NOTES, "default", name)
            else:
                await objects.create(NOTES, note(name, number=str(number)))
        except SolovirtError as error:
            return error.reason
        return None

    reasons: set[str | None] = set()
    for step in range(40):
        disk.full = step % 4 == 1
        batch = [asyncio.ensure_future(attempt(step * 5 + offset)) for offset in range(5)]
        if step % 2:
            reasons.update(await asyncio.gather(*batch))
        else:
            await asyncio.sleep(0)
            disk.full = not disk.full
            reasons.update(await asyncio.gather(*batch))
    assert reasons >= {None, "StorageFull"}
    assert disk.failed > 5
    listed, revision = objects.list(NOTES).items, objects.revision
    await objects.close()
    objects = open_store(database)
    assert objects.list(NOTES).items == listed
    assert objects.revision == revision
    await objects.close()


async def test_conflict_is_decided_in_the_order_of_the_calls(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    blind = widget(size=8)
    first, second = await asyncio.gather(
        objects.update(WIDGETS, blind, force=True),
        objects.update(WIDGETS, made, dry_run=True),
        return_exceptions=True,
    )
    assert isinstance(first, Widget)
    assert isinstance(second, Conflict)


async def test_the_ledger_shows_nothing_of_a_work_out_that_raised(objects: Objects) -> None:
    ledger: Ledger = objects._ledger

    def fail(draft: Draft) -> None:
        draft.put("notes", note("a"))
        draft.set_record("pin", "x", b"1")
        raise SolovirtError("second thoughts")

    with pytest.raises(SolovirtError, match="second thoughts"):
        await ledger.run(fail)
    assert ledger.committed.get(Key("notes", "default", "a")) is None
    await ledger.run(lambda draft: draft.set_record("pin", "y", b"2"))
    assert objects.records.list("pin") == {"y": b"2"}
