from __future__ import annotations

from pathlib import Path

from solovirt.store.objects import Objects
from tests.unit.store.kinds import open_store


async def test_records_are_kept_by_kind_and_key(objects: Objects) -> None:
    records = objects.records
    revision = objects.revision
    await records.put("pin", "a", b"1")
    await records.put("pin", "b", b"2")
    await records.put("intent", "a", b"3")
    await records.put("pin", "a", b"4")
    assert records.get("pin", "a") == b"4"
    assert records.get("pin", "x") is None
    assert records.get("other", "a") is None
    assert records.list("pin") == {"a": b"4", "b": b"2"}
    assert objects.revision == revision, "records are nobody's resourceVersion"
    records.list("pin").clear()
    await records.delete("pin", "a")
    await records.delete("pin", "a")
    assert records.list("pin") == {"b": b"2"}


async def test_records_survive_a_restart(database: Path) -> None:
    first = open_store(database)
    await first.records.put("pin", "a", b"\x00\xff")
    await first.records.put("pin", "b", b"")
    await first.records.delete("pin", "b")
    await first.close()
    second = open_store(database)
    assert second.records.list("pin") == {"a": b"\x00\xff"}
    await second.close()


async def test_an_unchanged_record_costs_no_commit(objects: Objects) -> None:
    await objects.records.put("pin", "a", b"1")
    before = objects.commits
    await objects.records.put("pin", "a", b"1")
    await objects.records.delete("pin", "missing")
    assert objects.commits == before
