"""State directories where file systems behave otherwise."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from tests.support import system as systems
from tests.support.manifests import claim, disk, vm
from tests.support.system import System

pytestmark = pytest.mark.real
SHM = Path("/dev/shm")


@pytest.fixture
def in_memory(tiny: TinyImage) -> Iterator[System]:
    """A daemon whose state lies on tmpfs."""
    place = Path(tempfile.mkdtemp(prefix="sv-", dir=SHM))
    place.chmod(0o711)
    system = systems.local(place)
    try:
        system.start()
        yield system
        system.check_clean()
    finally:
        system.end()
        shutil.rmtree(place)


@pytest.mark.skipif(not SHM.is_dir(), reason="no tmpfs here")
def test_disks_of_every_kind_on_tmpfs(in_memory: System) -> None:
    """tmpfs has no O_DIRECT, or since Linux 6.6 one that does not tell its alignment."""
    odd = in_memory.state.parent / "odd.img"
    odd.write_bytes(bytes(512 * 3001))
    system = in_memory
    system.apply(
        claim("data"),
        vm(
            "one",
            memory="32Mi",
            disks=[disk("seed"), disk("odd"), disk("scratch"), disk("data")],
            volumes=[
                {"name": "seed", "cloudInitNoCloud": {"userData": "#!/bin/sh\n"}},
                {"name": "odd", "hostDisk": {"path": str(odd), "type": "Disk"}},
                {"name": "scratch", "emptyDisk": {"capacity": "1Mi"}},
                {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            ],
            template={"startStrategy": "Paused", "terminationGracePeriodSeconds": 0},
        ),
    )
    system.wait_printable("one", "Paused")
