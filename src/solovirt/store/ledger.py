"""The serial order of all writes, and the way of each: worked out, committed, made visible.

Every operation is worked out on the event loop against ``head``, the state with all writes submitted so far, so that
two writers of one object meet in a definite order. What readers and watchers see is ``committed``: it moves only after
the commit, and after a failed one head goes back to it. Must not know what the operations mean.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from solovirt.api.meta import KubeObject, ObjectMeta
from solovirt.kit.errors import HostError, SolovirtError, Unavailable
from solovirt.kit.json import JsonObject
from solovirt.store.stored import Key, Stored, Table
from solovirt.store.watch import Event, Hub
from solovirt.store.writer import Statement, Write, Writer

R = TypeVar("R")
T = TypeVar("T", bound=KubeObject)
Undo = Callable[[], object]

_log = logging.getLogger(__name__)

_PUT = (
    "INSERT INTO objects (kind, namespace, name, data) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, namespace, name) DO UPDATE SET data = excluded.data"
)
_DROP = "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?"
_PUT_RECORD = (
    "INSERT INTO records (kind, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"
)
_DROP_RECORD = "DELETE FROM records WHERE kind = ? AND key = ?"
_REVISION = "UPDATE counters SET value = ? WHERE name = 'revision'"


@dataclass(frozen=True, slots=True)
class RecordChange:
    kind: str
    key: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Pending:
    """One submitted operation that is not durable yet."""

    events: tuple[Event, ...]
    records: tuple[RecordChange, ...]
    epoch: int
    durable: asyncio.Future[None]


class Draft:
    """One operation being worked out: writes go to ``head`` at once and can be taken back.

    ``dry`` drafts leave resourceVersions alone and are always taken back.
    """

    def __init__(self, head: Table, revision: int, *, dry: bool) -> None:
        self.head = head
        self.revision = revision
        self.dry = dry
        self.events: list[Event] = []
        self.records: list[RecordChange] = []
        self._undo: list[Undo] = []

    def put(self, kind: str, obj: KubeObject) -> Stored:
        """Writes ``obj`` (its resourceVersion is set here)."""
        if not self.dry:
            self.revision += 1
            obj.metadata.resource_version = str(self.revision)
        return self._put(Stored.of(kind, obj))

    def edit(self, stored: Stored, change: Callable[[ObjectMeta, JsonObject], None]) -> Stored:
        """Writes ``stored`` after ``change(metadata, whole object)``; for operations that span kinds."""
        changed = stored.edited(change)
        if not self.dry:
            self.revision += 1
            changed = changed.at(self.revision)
        return self._put(changed)

    def drop(self, stored: Stored) -> Stored:
        """Removes the object; returns its last state under the revision of the removal."""
        before = self._set(stored.key, None)
        last = stored
        if not self.dry:
            self.revision += 1
            last = stored.at(self.revision)
        self.events.append(Event("DELETED", last, before))
        return last

    def set_record(self, kind: str, key: str, value: bytes | None) -> None:
        before = self.head.set_record(kind, key, value)
        self._undo.append(lambda: self.head.set_record(kind, key, before))
        if before != value:
            self.records.append(RecordChange(kind, key, value))

    def roll_back(self) -> None:
        for undo in reversed(self._undo):
            undo()

    def statements(self) -> tuple[Statement, ...]:
        rows: list[Statement] = []
        for event in self.events:
            key = event.key
            if event.type == "DELETED":
                rows.append((_DROP, (key.kind, key.namespace, key.name)))
            else:
                rows.append((_PUT, (key.kind, key.namespace, key.name, event.state.data)))
        for record in self.records:
            if record.value is None:
                rows.append((_DROP_RECORD, (record.kind, record.key)))
            else:
                rows.append((_PUT_RECORD, (record.kind, record.key, record.value)))
        if self.events:
            rows.append((_REVISION, (self.revision,)))
        return tuple(rows)

    def _put(self, stored: Stored) -> Stored:
        before = self._set(stored.key, stored)
        self.events.append(Event("ADDED" if before is None else "MODIFIED", stored, before))
        return stored

    def _set(self, key: Key, stored: Stored | None) -> Stored | None:
        before = self.head.set(key, stored)
        self._undo.append(lambda: self.head.set(key, before))
        return before


class Ledger:
    """Two states of everything (``head`` and ``committed``), the writer between them, the hub behind them."""

    def __init__(self, connection: Connection, path: Path, table: Table, revision: int) -> None:
        self.committed = table
        self.hub = Hub(revision)
        self.writer = Writer(connection, path, self._outcome)
        self._head = table.copy()
        self._head_revision = revision
        self._epoch = 0
        self._pending: deque[Pending] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def run(self, work_out: Callable[[Draft], R], *, dry_run: bool = False) -> R:
        """Works out one operation, and returns its result when everything that it rests on is durable.

        ``work_out`` runs synchronously and may run again: if the writes before it, on which it based its answer, turn
        out to have failed. Raises what it raises, or HostError when this operation cannot be written.
        """
        if self._closed:
            raise Unavailable("the store is closed")
        self._loop = asyncio.get_running_loop()
        while True:
            draft = Draft(self._head, self._head_revision, dry=dry_run)
            failure: SolovirtError | None = None
            try:
                result = work_out(draft)
            except SolovirtError as error:
                draft.roll_back()
                failure = error
            except BaseException:
                draft.roll_back()
                raise
            if failure is None:
                if dry_run:
                    draft.roll_back()
                elif draft.events or draft.records:
                    await asyncio.shield(self._submit(draft))
                    return result
            # Nothing to write, yet the verdict may rest on writes that are still under way.
            if await self._settled():
                if failure is not None:
                    raise failure
                return result

    async def close(self) -> None:
        """Waits for what was submitted, ends all watches, closes the database. May be called again."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self.writer.close)
        await self._settled()
        self.hub.close()

    def _submit(self, draft: Draft) -> asyncio.Future[None]:
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head_revision = draft.revision
        self._pending.append(Pending(tuple(draft.events), tuple(draft.records), self._epoch, durable))
        self.writer.submit(Write(draft.statements(), self._epoch))
        return durable

    async def _settled(self) -> bool:
        """Waits for all writes submitted so far; False if the last of them failed."""
        if not self._pending:
            return True
        last = self._pending[-1].durable
        await asyncio.wait([last])
        return last.exception() is None

    def _outcome(self, writes: Sequence[Write], error: HostError | None) -> None:
        """In the writer's thread."""
        assert self._loop is not None, "a write was submitted, so there is a loop"
        try:
            self._loop.call_soon_threadsafe(self._finish, len(writes), error)
        except RuntimeError:
            _log.warning("the event loop ended before %d writes were answered", len(writes))

    def _finish(self, count: int, error: HostError | None) -> None:
        """The first ``count`` pending operations were committed, or failed together."""
        finished = [self._pending.popleft() for _ in range(count)]
        if error is None:
            for pending in finished:
                self._show(pending)
        else:
            self._fail_all(finished, error)
        for pending in finished:
            if pending.durable.cancelled():
                continue
            if error is None:
                pending.durable.set_result(None)
            else:
                pending.durable.set_exception(_again(error))
                # Marks it as retrieved: a caller that was cancelled meanwhile will not look at it.
                pending.durable.exception()

    def _show(self, pending: Pending) -> None:
        for event in pending.events:
            self.committed.set(event.key, None if event.type == "DELETED" else event.state)
        for record in pending.records:
            self.committed.set_record(record.kind, record.key, record.value)
        for event in pending.events:
            self.hub.publish(event)

    def _fail_all(self, finished: Sequence[Pending], error: HostError) -> None:
        _log.error("%d writes failed: %s", len(finished), error)
        if finished[-1].epoch == self._epoch:
            self._head = self.committed.copy()
            self._epoch += 1


def _again(error: HostError) -> HostError:
    """A copy for each waiter: one exception object raised in several tasks would mix their tracebacks."""
    return HostError(error.message, reason=error.reason, hint=error.hint)
