from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.store import schema


def _reason(path: Path) -> HostError:
    with pytest.raises(HostError) as caught:
        schema.connect(path)
    return caught.value


def test_a_new_database_is_private_and_durable(database: Path) -> None:
    connection = schema.connect(database)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert schema.load(connection, database) == schema.Content(0, [], [])
    for name in os.listdir(database.parent):
        assert stat.S_IMODE((database.parent / name).stat().st_mode) == 0o600, name
    connection.close()


def test_an_open_file_mode_is_corrected(database: Path) -> None:
    schema.connect(database).close()
    database.chmod(0o644)
    schema.connect(database).close()
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_content_is_read_back(database: Path) -> None:
    connection = schema.connect(database)
    connection.execute("INSERT INTO objects VALUES ('k', 'ns', 'n', ?)", (b"{}",))
    connection.execute("INSERT INTO records VALUES ('k', 'key', ?)", (b"v",))
    connection.execute("UPDATE counters SET value = 9")
    connection.close()
    connection = schema.connect(database)
    assert schema.load(connection, database) == schema.Content(9, [("k", b"{}")], [("k", "key", b"v")])
    connection.close()


def test_a_second_user_is_refused(database: Path) -> None:
    connection = schema.connect(database)
    error = _reason(database)
    assert error.reason == "DatabaseInUse"
    assert "another solovirt daemon" in error.hint
    connection.close()


def test_a_newer_database_is_refused_unchanged(database: Path) -> None:
    connection = schema.connect(database)
    connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    before = database.read_bytes()
    error = _reason(database)
    assert error.reason == "DatabaseTooNew"
    assert str(database) in error.message
    assert database.read_bytes() == before


def test_another_programs_database_is_refused(database: Path) -> None:
    database.parent.mkdir()
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE music (title TEXT)")
    other.commit()
    other.close()
    assert _reason(database).reason == "DatabaseForeign"


@pytest.mark.parametrize("content", [b"this is not a database at all" * 40, os.urandom(8192)])
def test_garbage_is_refused_and_kept(database: Path, content: bytes) -> None:
    database.parent.mkdir()
    database.write_bytes(content)
    error = _reason(database)
    assert error.reason == "DatabaseCorrupt"
    assert str(database) in error.message
    assert "nothing was deleted" in error.hint
    assert database.read_bytes() == content


def test_a_damaged_page_is_found(database: Path) -> None:
    connection = schema.connect(database)
    for number in range(200):
        connection.execute("INSERT INTO objects VALUES ('k', 'ns', ?, ?)", (str(number), b"x" * 500))
    connection.close()
    content = bytearray(database.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 16] = b"\xff" * 16
    database.write_bytes(content)
    assert _reason(database).reason == "DatabaseCorrupt"


def test_a_symbolic_link_is_not_followed(database: Path, tmp_path: Path) -> None:
    database.parent.mkdir()
    target = tmp_path / "target"
    target.write_bytes(b"")
    database.symlink_to(target)
    assert _reason(database).reason == "StorageError"
    assert target.read_bytes() == b""


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = _reason(tmp_path / "file" / "solovirt.db")
    assert error.reason == "StorageError"
    assert "SOLOVIRT_STATE_DIR" in error.hint


def test_migrations_run_once_and_all_or_nothing(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.connect(database).close()
    broken = (*schema.MIGRATIONS, ("CREATE TABLE extra (x)", "CREATE TABLE extra (x)"))
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    assert _reason(database).reason == "StorageError"
    monkeypatch.setattr(schema, "MIGRATIONS", (*broken[:-1], ("CREATE TABLE extra (x)",)))
    connection = schema.connect(database)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(broken),)
    assert connection.execute("SELECT count(*) FROM extra").fetchone() == (0,)
    connection.close()
    schema.connect(database).close()


def test_errors_of_sqlite_in_words(tmp_path: Path) -> None:
    def error(code: int) -> sqlite3.OperationalError:
        found = sqlite3.OperationalError("trouble")
        found.sqlite_errorcode = code
        found.sqlite_errorname = "SQLITE_SOMETHING"
        return found

    path = tmp_path / "x.db"
    assert schema.explain(error(sqlite3.SQLITE_FULL), path).reason == "StorageFull"
    assert schema.explain(error(sqlite3.SQLITE_CORRUPT), path).reason == "DatabaseCorrupt"
    assert schema.explain(error(sqlite3.SQLITE_BUSY), path).reason == "DatabaseInUse"
    other = schema.explain(error(sqlite3.SQLITE_IOERR_FSYNC), path)
    assert other.reason == "StorageError"
    assert "SQLITE_SOMETHING" in other.message
