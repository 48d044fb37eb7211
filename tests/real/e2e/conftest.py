"""Systems for the end-to-end tests: one daemon for the tests of a module; after each test nothing may be left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solovirt.host.tiny.build import TinyImage
from tests.support import system as systems
from tests.support.system import System


@pytest.fixture(scope="session")
def tiny() -> TinyImage:
    """The files of the tiny guest."""
    return systems.build_tiny()


@pytest.fixture(scope="module")
def shared(tiny: TinyImage) -> Iterator[System]:
    """A running daemon that has solovirt/tiny. Tests use ``system``."""
    with systems.running(tiny=tiny) as system:
        yield system


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    """The module's daemon; after the test nothing of its objects may be left on the host."""
    yield shared
    shared.check_clean()
