"""A short folder for sockets: their paths have at most 107 bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/tmp") as name:
        yield Path(name)
