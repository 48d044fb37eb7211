from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.store.objects import Objects
from tests.unit.store.kinds import open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "solovirt.db"


@pytest.fixture
async def objects(database: Path) -> AsyncIterator[Objects]:
    found = open_store(database)
    yield found
    await found.close()
