from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.controllers.lab import Lab


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """Controllers that run, over fakes."""
    made = Lab(tmp_path, monkeypatch)
    try:
        await made.start()
        yield made
    finally:
        await made.close()
