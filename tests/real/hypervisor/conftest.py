"""A short-lived place for machines, and proof that nothing of them is left."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor import lock
from solovirt.hypervisor.supervisor import Hypervisor
from tests.real.hypervisor.machines import Events


@pytest.fixture
def root() -> Iterator[Path]:
    """A directory with a short path; afterwards no process may hold a machine's lock, and no socket may be there."""
    path = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    try:
        yield path
        left = [pid for file in path.rglob(lock.NAME) for pid in lock.holders(file)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        found = [str(file) for file in path.rglob("*.sock")]
        assert not left, f"QEMU left behind: {left}"
        assert not found, f"sockets left behind: {found}"
    finally:
        shutil.rmtree(path)


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def hypervisor(root: Path, events: Events) -> AsyncIterator[Hypervisor]:
    """A hypervisor; what still runs at the end is killed."""
    made = Hypervisor(events)
    yield made
    for instance in made.instances():
        await instance.kill()
    await made.close()
