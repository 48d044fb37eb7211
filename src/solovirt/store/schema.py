"""The database file: how it is opened, checked, migrated and read; what its errors mean to a person.

Must not know what the rows mean.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from solovirt.kit.errors import HostError

APPLICATION_ID = 0x736F6C6F

# One entry for each version; `user_version` counts the applied ones. Entries are never edited once released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO counters VALUES ('revision', 0)",
        "CREATE TABLE objects (kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
        " data BLOB NOT NULL, UNIQUE (kind, namespace, name))",
        "CREATE TABLE records (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, UNIQUE (kind, key))",
    ),
)

_FULL = {sqlite3.SQLITE_FULL}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything in a database: objects are (kind, JSON), records are (kind, key, value)."""

    revision: int
    objects: list[tuple[str, bytes]]
    records: list[tuple[str, str, bytes]]


def connect(path: Path) -> sqlite3.Connection:
    """Opens or creates the database and brings its schema up to date.

    The file is private (0600); so is its folder if it has to be made (0700). The connection may be used by one thread
    at a time, whichever. Raises HostError: DatabaseInUse, DatabaseCorrupt, DatabaseTooNew, StorageFull, StorageError.
    """
    _create(path)
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    except sqlite3.Error as error:
        raise explain(error, path) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path) from error
    except HostError:
        connection.close()
        raise
    return connection


def load(connection: sqlite3.Connection, path: Path) -> Content:
    """Raises HostError DatabaseCorrupt."""
    try:
        (revision,) = connection.execute("SELECT value FROM counters WHERE name = 'revision'").fetchone()
        objects = connection.execute("SELECT kind, data FROM objects").fetchall()
        records = connection.execute("SELECT kind, key, value FROM records").fetchall()
    except sqlite3.Error as error:
        raise explain(error, path) from error
    return Content(int(revision), objects, records)


def explain(error: sqlite3.Error, path: Path) -> HostError:
    """What a failed SQLite call means for the person whose disk it is."""
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    if primary in _CORRUPT:
        return corrupt(path, str(error))
    if primary in _BUSY:
        return HostError(
            f"{path} is in use by another process",
            reason="DatabaseInUse",
            hint="is another solovirt daemon running on this state directory? see: solovirt daemon status",
        )
    if primary in _FULL or (primary == sqlite3.SQLITE_IOERR and not _has_space(path)):
        return HostError(
            f"nothing was written: no space left for {path}",
            reason="StorageFull",
            hint=f"free some space on the file system of {path.parent}, then try again",
        )
    name = getattr(error, "sqlite_errorname", "")
    return HostError(
        f"nothing was written: {path}: {error}" + (f" ({name})" if name else ""),
        reason="StorageError",
        hint=f"look at the kernel log for disk errors, and at quotas and permissions of {path.parent}",
    )


def corrupt(path: Path, detail: str) -> HostError:
    return HostError(
        f"the database {path} is damaged: {detail}",
        reason="DatabaseCorrupt",
        hint=f"nothing was deleted. Try `sqlite3 {path} .recover | sqlite3 {path}.recovered`, or restore a backup, or "
        f"move {path}, {path}-wal and {path}-shm away to start with an empty one",
    )


def _has_space(path: Path) -> bool:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return True
    return found.f_bavail * found.f_frsize >= 1 << 20


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise HostError(
            f"cannot open the database {path}: {error.strerror}",
            reason="StorageError",
            hint="the state directory must be writable by the user who runs solovirt, see SOLOVIRT_STATE_DIR",
        ) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # The memory of this process is the truth between two commits: nobody else may write, so the lock is held for good.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    if application != APPLICATION_ID and not (application == 0 and empty):
        raise HostError(
            f"{path} is an SQLite database, but not one of solovirt",
            reason="DatabaseForeign",
            hint="choose another state directory (SOLOVIRT_STATE_DIR) or move the file away",
        )
    if version > len(MIGRATIONS):
        raise HostError(
            f"{path} was written by a newer solovirt (schema {version}, this one knows {len(MIGRATIONS)})",
            reason="DatabaseTooNew",
            hint="install the newer version again, or use another state directory (SOLOVIRT_STATE_DIR)",
        )
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise HostError(
            f"SQLite cannot keep a write-ahead log beside {path} (journal mode {mode})",
            reason="StorageError",
            hint="put the state directory on a local file system (SOLOVIRT_STATE_DIR)",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise corrupt(path, str(problem))
    _migrate(connection, version)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
