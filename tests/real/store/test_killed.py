"""kill -9 at any instant: every acknowledged write is there, nothing is half there, revisions never go back."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from solovirt.kit.json import JsonObject, decode_object, get_int, get_str
from solovirt.store.objects import Objects
from tests.real.store.scribe import WRITERS
from tests.unit.store.kinds import NOTES

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("SOLOVIRT_TEST_KILLS", "25"))
GONE = -1


@dataclass
class Account:
    """What the scribe said: for each note and record the acknowledged value and the ones that may have followed."""

    notes: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    begun_notes: dict[str, int] = field(default_factory=dict)
    begun_records: dict[str, int] = field(default_factory=dict)
    revision: int = 0
    acknowledged: int = 0

    def hear(self, line: JsonObject) -> None:
        name = get_str(line, "name")
        value = get_int(line, "value", GONE)
        what = get_str(line, "begin") or get_str(line, "done")
        record = what == "record"
        begun, done = (self.begun_records, self.records) if record else (self.begun_notes, self.notes)
        if "begin" in line:
            begun[name] = value
        elif "done" in line:
            begun.pop(name, None)
            done[name] = value
            self.acknowledged += 1
            self.revision = max(self.revision, get_int(line, "revision"))
        else:
            opened = get_int(line, "opened")
            assert opened >= self.revision, "the revision went back"

    def settle(self, name: str, found: int, *, record: bool) -> None:
        """What was found must be what was acknowledged or what was under way; then it is what counts."""
        begun, done = (self.begun_records, self.records) if record else (self.begun_notes, self.notes)
        allowed = {done.get(name, GONE)}
        if name in begun:
            allowed.add(begun.pop(name))
        assert found in allowed, f"{name}: found {found}, acknowledged or under way {allowed}"
        done[name] = found


def _run_and_kill(database: Path, seed: int, source: random.Random, account: Account) -> None:
    said = database.parent.parent / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.real.store.scribe", str(database), str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=output,
        )
    with process:
        if source.random() < 0.8:
            while not said.stat().st_size and process.poll() is None:
                time.sleep(0.005)
        time.sleep(source.uniform(0.0, 0.3))
        assert process.poll() is None, "the scribe ended by itself"
        process.kill()
    for line in said.read_bytes().splitlines(keepends=True):
        # The last line may be cut; then it says nothing.
        if line.endswith(b"\n"):
            account.hear(decode_object(line))


async def _check(database: Path, account: Account) -> None:
    objects = Objects.open(database)
    try:
        assert objects.revision >= account.revision
        found = {item.metadata.name: item for item in objects.list(NOTES).items}
        for number in range(WRITERS):
            name = f"w{number}"
            item = found.get(name)
            account.settle(name, GONE if item is None else int(item.data["value"]), record=False)
            account.settle(name, int(objects.records.get("pin", name) or GONE), record=True)
        revisions = [int(item.metadata.resource_version) for item in found.values()]
        assert len(set(revisions)) == len(revisions)
        assert max(revisions, default=0) <= objects.revision
        account.revision = objects.revision
    finally:
        await objects.close()


async def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = int(os.environ.get("SOLOVIRT_TEST_SEED", "0")) or random.randrange(1 << 30)
    source = random.Random(seed)
    database = tmp_path / "state" / "solovirt.db"
    account = Account()
    round_number = 0
    # A slow disk acknowledges less between two kills.
    while round_number < KILLS or (account.acknowledged <= 10 * KILLS and round_number < 10 * KILLS):
        round_number += 1
        _run_and_kill(database, seed + 1000 * round_number, source, account)
        await _check(database, account)
    print(f"\n{KILLS} kills, seed {seed}: {account.acknowledged} acknowledged writes, revision {account.revision}")
    assert account.acknowledged > 10 * KILLS
