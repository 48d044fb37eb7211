from __future__ import annotations

import msgspec
import pytest

from solovirt.api.meta import ObjectMeta, OwnerReference
from solovirt.kit.json import JsonObject
from solovirt.store.stored import Key, Stored, Table
from tests.unit.store.kinds import Note, note


def _stored(name: str, *owners: str, namespace: str = "default") -> Stored:
    obj = note(name, namespace=namespace)
    obj.metadata.owner_references = [
        OwnerReference(api_version="v1", kind="Note", name="o", uid=owner) for owner in owners
    ]
    return Stored.of("notes", obj)


def test_parse_reads_what_the_store_needs_and_nothing_else() -> None:
    data = (
        b'{"apiVersion":"v9","kind":"Unknown","metadata":{"name":"a","namespace":"b","uid":"u","resourceVersion":"12",'
        b'"labels":{"x":"y"},"finalizers":["f"],"deletionTimestamp":"2026-01-01T00:00:00Z","ownerReferences":'
        b'[{"uid":"o1","kind":"K"}],"unknown":1},"spec":{"anything":[1,2]}}'
    )
    found = Stored.parse("things", data)
    assert found.key == Key("things", "b", "a")
    assert (found.revision, found.uid, found.labels) == (12, "u", {"x": "y"})
    assert (found.finalizers, found.owners, found.deleting) == (("f",), ("o1",), True)
    assert found.data == data


@pytest.mark.parametrize("data", [b"", b"[]", b'{"metadata":{"name":5}}', b'{"metadata":{"resourceVersion":"x"}}'])
def test_parse_refuses_what_is_no_object(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, ValueError)):
        Stored.parse("things", data)


def test_edited_changes_metadata_and_body_of_any_kind() -> None:
    def change(meta: ObjectMeta, value: JsonObject) -> None:
        meta.labels["new"] = "yes"
        value["status"] = {"phase": "Gone"}

    old = _stored("a")
    new = old.edited(change)
    assert new.labels == {"new": "yes"}
    assert b'"status":{"phase":"Gone"}' in new.data
    assert old.labels == {}
    assert old.edited(lambda meta, value: None).data == old.data
    assert old.at(44).revision == 44
    assert msgspec.json.decode(old.at(44).data, type=Note).metadata.resource_version == "44"


def test_table_keeps_its_owner_index() -> None:
    table = Table()
    a, b = _stored("a", "o1"), _stored("b", "o1", "o2")
    assert table.set(a.key, a) is None
    table.set(b.key, b)
    assert table.owned_by("o1") == [a, b]
    changed = _stored("a", "o3")
    assert table.set(a.key, changed) == a
    assert table.owned_by("o1") == [b]
    assert table.owned_by("o3") == [changed]
    assert table.set(b.key, None) == b
    assert table.get(b.key) is None
    assert table.owned == {"o3": {a.key}}
    assert table.set(b.key, None) is None


def test_table_lists_sorted_and_by_namespace() -> None:
    table = Table()
    for stored in (_stored("b"), _stored("a"), _stored("z", namespace="alpha")):
        table.set(stored.key, stored)
    assert [s.key.name for s in table.of_kind("notes", None)] == ["z", "a", "b"]
    assert [s.key.name for s in table.of_kind("notes", "default")] == ["a", "b"]
    assert table.of_kind("other", None) == []
    assert {s.key.name for s in table.within("alpha")} == {"z"}


def test_table_copies_are_independent() -> None:
    table = Table()
    a = _stored("a", "o1")
    table.set(a.key, a)
    table.set_record("pin", "x", b"1")
    copy = table.copy()
    assert copy == table
    copy.set(a.key, None)
    assert copy.set_record("pin", "x", None) == b"1"
    assert table.get(a.key) == a
    assert table.owned_by("o1") == [a]
    assert table.records == {"pin": {"x": b"1"}}
