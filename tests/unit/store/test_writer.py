from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.store import schema
from solovirt.store.writer import MAX_GROUP, Write, Writer


class Outcomes:
    """Collects what the writer says, and can hold it back to let writes pile up."""

    def __init__(self) -> None:
        self.said: list[tuple[int, HostError | None]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, writes: Sequence[Write], error: HostError | None) -> None:
        self.said.append((len(writes), error))
        self.entered.set()
        assert self.gate.wait(10)


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.fixture
def writer(database: Path, outcomes: Outcomes) -> Iterator[Writer]:
    found = Writer(schema.connect(database), database, outcomes)
    yield found
    outcomes.gate.set()
    found.close()


def _write(key: str, epoch: int = 0) -> Write:
    return Write((("INSERT INTO records VALUES ('k', ?, ?)", (key, b"v")),), epoch)


def _broken(epoch: int = 0) -> Write:
    return Write((("INSERT INTO nowhere VALUES (1)", ()),), epoch)


def _keys(database: Path) -> list[str]:
    connection = schema.connect(database)
    found = [key for _, key, _ in schema.load(connection, database).records]
    connection.close()
    return found


def test_what_waits_is_committed_together(writer: Writer, outcomes: Outcomes, database: Path) -> None:
    outcomes.gate.clear()
    writer.submit(_write("first"))
    assert outcomes.entered.wait(10)
    for number in range(50):
        writer.submit(_write(str(number)))
    outcomes.gate.set()
    writer.close()
    assert outcomes.said == [(1, None), (50, None)]
    assert writer.commits == 2
    assert len(_keys(database)) == 51


def test_groups_are_bounded(writer: Writer, outcomes: Outcomes) -> None:
    outcomes.gate.clear()
    writer.submit(_write("first"))
    assert outcomes.entered.wait(10)
    for number in range(MAX_GROUP + 5):
        writer.submit(_write(str(number)))
    outcomes.gate.set()
    writer.close()
    assert [count for count, _ in outcomes.said] == [1, MAX_GROUP, 5]


def test_a_failed_commit_fails_its_group_and_the_rest_of_its_epoch(
    writer: Writer, outcomes: Outcomes, database: Path
) -> None:
    outcomes.gate.clear()
    writer.submit(_write("a"))
    assert outcomes.entered.wait(10)
    writer.submit(_write("b"))
    writer.submit(_broken())
    outcomes.entered.clear()
    outcomes.gate.set()
    assert outcomes.entered.wait(10)
    writer.submit(_write("c"))
    writer.submit(_write("d", epoch=1))
    writer.close()
    failed = [(count, error is not None) for count, error in outcomes.said]
    assert failed[:2] == [(1, False), (2, True)]
    assert sum(count for count, error in failed[2:] if error) == 1
    assert sum(count for count, error in failed[2:] if not error) == 1
    assert _keys(database) == ["a", "d"]


def test_values_that_sqlite_cannot_take_do_not_end_the_thread(writer: Writer, outcomes: Outcomes) -> None:
    writer.submit(_write("lone surrogate \ud800"))
    while not outcomes.said:
        assert outcomes.entered.wait(10)
    writer.submit(_write("fine", epoch=1))
    writer.close()
    [(_, first), (_, second)] = outcomes.said
    assert first is not None and first.reason == "StorageError"
    assert second is None
