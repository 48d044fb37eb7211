"""From a database file to a ledger with everything in memory."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from solovirt.store import namespaces, schema
from solovirt.store.ledger import Draft, Ledger
from solovirt.store.stored import Key, Stored, Table


def open_ledger(path: Path, now: str) -> Ledger:
    """Opens, migrates and reads ``path``; makes the default namespace in a new one. Raises HostError."""
    connection = schema.connect(path)
    try:
        content = schema.load(connection, path)
        table = _table(content, path)
        revision = content.revision
        if table.get(Key(namespaces.KIND, "", namespaces.DEFAULT)) is None:
            revision = _create_default_namespace(connection, path, table, revision, now)
        return Ledger(connection, path, table, revision)
    except BaseException:
        connection.close()
        raise


def _table(content: schema.Content, path: Path) -> Table:
    table = Table()
    for kind, data in content.objects:
        try:
            stored = Stored.parse(kind, data)
        except (msgspec.DecodeError, ValueError) as error:
            raise schema.corrupt(path, f"an object of kind {kind} cannot be read: {error}") from error
        table.set(stored.key, stored)
    for kind, key, value in content.records:
        table.set_record(kind, key, value)
    return table


def _create_default_namespace(connection: sqlite3.Connection, path: Path, table: Table, revision: int, now: str) -> int:
    draft = Draft(table, revision, dry=False)
    draft.put(namespaces.KIND, namespaces.default_namespace(now))
    try:
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in draft.statements():
            connection.execute(sql, values)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise schema.explain(error, path) from error
    return draft.revision
