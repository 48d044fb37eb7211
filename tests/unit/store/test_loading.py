from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.store import loading, schema
from solovirt.store.stored import Key


@pytest.mark.parametrize("data", [b"not json", b'{"metadata":{"resourceVersion":"many"}}'])
def test_an_unreadable_object_is_reported_and_kept(database: Path, data: bytes) -> None:
    connection = schema.connect(database)
    connection.execute("INSERT INTO objects VALUES ('widgets.test.io', 'ns', 'n', ?)", (data,))
    connection.close()
    with pytest.raises(HostError) as caught:
        loading.open_ledger(database, "2026-01-01T00:00:00Z")
    assert caught.value.reason == "DatabaseCorrupt"
    assert "widgets.test.io" in caught.value.message
    connection = schema.connect(database)
    assert len(schema.load(connection, database).objects) == 1
    connection.close()


async def test_unknown_kinds_are_kept(database: Path) -> None:
    connection = schema.connect(database)
    data = b'{"kind":"Future","metadata":{"name":"n","namespace":"default","resourceVersion":"5"}}'
    connection.execute("INSERT INTO objects VALUES ('futures.test.io', 'default', 'n', ?)", (data,))
    connection.execute("UPDATE counters SET value = 5")
    connection.close()
    ledger = loading.open_ledger(database, "2026-01-01T00:00:00Z")
    found = ledger.committed.get(Key("futures.test.io", "default", "n"))
    assert found is not None and found.data == data
    assert ledger.hub.revision == 6, "the default namespace was made after it"
    await ledger.close()
    with sqlite3.connect(database) as again:
        assert again.execute("SELECT count(*) FROM objects").fetchone() == (2,)
    again.close()
