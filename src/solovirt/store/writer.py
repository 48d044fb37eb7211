"""The one thread that writes to the database: takes all that waits, commits it at once, says so.

Must not know objects: it gets SQL statements and gives back "durable" or an error.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from solovirt.kit.errors import HostError
from solovirt.store import schema

Statement = tuple[str, tuple[str | int | bytes, ...]]

MAX_GROUP = 256
"""Most writes of one transaction; bounds how long the first of a group waits for the last."""


@dataclass(frozen=True, slots=True)
class Write:
    """What one operation writes: all of it or nothing.

    ``epoch`` counts failed commits: a write was computed on top of all earlier ones of its epoch, so when one fails,
    the rest of that epoch fails with it.
    """

    statements: tuple[Statement, ...]
    epoch: int


Outcome = Callable[[Sequence[Write], HostError | None], None]


class Writer:
    """Group commit. ``outcome(writes, error)`` is called in the writer's thread, in the order of ``submit``."""

    def __init__(self, connection: sqlite3.Connection, path: Path, outcome: Outcome) -> None:
        self.commits = 0
        self._connection = connection
        self._path = path
        self._outcome = outcome
        self._queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._failed_epoch = -1
        self._failure: HostError | None = None
        self._thread = threading.Thread(target=self._run, name="solovirt-store", daemon=True)
        self._thread.start()

    def submit(self, write: Write) -> None:
        self._queue.put(write)

    def close(self) -> None:
        """Writes what was submitted, closes the database, ends the thread. Blocks."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (first := self._queue.get()) is not None:
                group, last = self._drain(first)
                self._write(group)
                if last:
                    return
        finally:
            self._connection.close()

    def _drain(self, first: Write) -> tuple[list[Write], bool]:
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, True
            group.append(item)
        return group, False

    def _write(self, group: list[Write]) -> None:
        stale = [write for write in group if write.epoch <= self._failed_epoch]
        if stale:
            self._outcome(stale, self._failure)
        fresh = [write for write in group if write.epoch > self._failed_epoch]
        if not fresh:
            return
        error = self._commit(fresh)
        if error is not None:
            self._failed_epoch, self._failure = fresh[-1].epoch, error
        self._outcome(fresh, error)

    def _commit(self, group: list[Write]) -> HostError | None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in group:
                for sql, values in write.statements:
                    self._connection.execute(sql, values)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return schema.explain(error, self._path)
        except (ValueError, OverflowError, MemoryError) as error:
            # A value that SQLite cannot take (a lone surrogate) must not end the thread that all writers wait for.
            self._roll_back()
            return HostError(f"nothing was written: {self._path}: {error}", reason="StorageError")
        self.commits += 1
        return None

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # SQLite rolls back by itself after SQLITE_FULL and SQLITE_IOERR; there is nothing more to undo then.
            pass
