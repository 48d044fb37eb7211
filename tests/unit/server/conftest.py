"""The whole API in process: real objects in a real database, fake operations and images."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.server import app
from solovirt.server.lifetime import Lifetime
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.support.fakes import FakeImages, FakeOperations


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Objects]:
    opened = Objects.open(tmp_path / "solovirt.db")
    yield opened
    await opened.close()


@pytest.fixture
def operations() -> FakeOperations:
    return FakeOperations()


@pytest.fixture
async def images() -> FakeImages:
    return FakeImages()


@pytest.fixture
def lifetime() -> Lifetime:
    return Lifetime()


@pytest.fixture
async def client(objects: Objects, operations: FakeOperations, images: FakeImages, lifetime: Lifetime) -> Client:
    return Client(app.build(objects, operations, images, lifetime=lifetime))
