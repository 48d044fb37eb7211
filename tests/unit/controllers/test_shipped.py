"""The set that solovirt brings is written once; what users do to it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.api.instancetype.shipped import instancetypes as table
from solovirt.api.instancetype.shipped.instancetypes import instancetypes
from solovirt.controllers import shipped
from solovirt.store.objects import Objects

TYPES, PREFERENCES = registry.CLUSTER_INSTANCETYPES, registry.CLUSTER_PREFERENCES


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Objects]:
    opened = Objects.open(tmp_path / "solovirt.db")
    yield opened
    await opened.close()


async def test_first_start_writes_all_in_few_commits(objects: Objects) -> None:
    before = objects.commits
    assert await shipped.write(objects) == 65 + 48
    assert objects.commits - before < 65, "many at once"
    assert objects.get(TYPES, "", "u1.small").spec.memory.guest == "2Gi"
    assert objects.get(PREFERENCES, "", "windows.2k22.virtio").spec.firmware is not None


async def test_next_start_costs_nothing(objects: Objects) -> None:
    await shipped.write(objects)
    before, revision = objects.commits, objects.revision
    assert await shipped.write(objects) == 0
    assert (objects.commits, objects.revision) == (before, revision)


async def test_edits_and_deletions_survive_a_new_version(objects: Objects) -> None:
    await shipped.write(objects, "1")
    edited = objects.get(TYPES, "", "u1.small")
    edited.spec.cpu.guest = 3
    await objects.update(TYPES, edited)
    await objects.delete(TYPES, "", "u1.nano")
    assert await shipped.write(objects, "2") == 0
    assert objects.get(TYPES, "", "u1.small").spec.cpu.guest == 3
    assert objects.find(TYPES, "", "u1.nano") is None


async def test_what_nobody_touched_follows_a_new_version(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    await shipped.write(objects, "1")
    monkeypatch.setattr(table, "SERIES", (table.SERIES[0]._replace(title="Anything", odd=(("pico", 1, 256),)),))
    # pico is new; the six sizes that double have a new title
    assert await shipped.write(objects, "2") == 7
    assert objects.get(TYPES, "", "u1.pico").spec.memory.guest == "256Mi"
    assert "Anything" in objects.get(TYPES, "", "u1.large").metadata.annotations.values()


async def test_an_object_of_the_users_own_is_left_alone(objects: Objects) -> None:
    mine = next(instancetypes())
    mine.spec.cpu.guest = 7
    await objects.create(TYPES, mine)
    assert await shipped.write(objects) == 65 + 48 - 1
    assert objects.get(TYPES, "", mine.metadata.name).spec.cpu.guest == 7
