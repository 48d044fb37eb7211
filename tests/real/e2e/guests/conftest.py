"""One daemon with the Debian guest, and the machines of all modules of this folder, which boot side by side.

In software emulation a boot is mostly one thread at a time: together they take half as long as one after the other.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.debian import build
from solovirt.host.volumes import iso
from tests.real.compile.beside import table
from tests.real.e2e.guests.rows import MANIFESTS
from tests.support import debianguest
from tests.support import system as systems
from tests.support.system import System

HERE = Path(__file__).parent
DRIVERS = "example.org/drivers:1"
"""An image like that of the Windows drivers: an ISO, and nothing else."""
VALUES = {"SLIC": base64.b64encode(table(b"SLIC")).decode(), "ARGUMENTS": build.KERNEL_ARGUMENTS}


@pytest.fixture(scope="package")
def guests(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A daemon whose guests, those of the chosen test modules, are about to boot; nothing of them is left."""
    drivers = tmp_path_factory.mktemp("drivers") / "drivers.iso"
    iso.write(drivers, "virtio-win", {"NetKVM/w11/amd64/netkvm.inf": b"[Version]\n", "guest-agent/ga.msi": b"agent"})
    chosen = {os.path.basename(item.path) for item in request.session.items if item.path.parent == HERE}
    image = debianguest.image()
    with systems.running(tiny=systems.build_tiny()) as system:
        systems.import_image(system, build.REFERENCE, build.image_files(image))
        systems.import_image(system, DRIVERS, {"/disk/drivers.iso": drivers})
        for module, manifest in MANIFESTS.items():
            if module in chosen:
                text = manifest.read_text()
                for key, value in VALUES.items():
                    text = text.replace(f"@{key}@", value)
                system.apply(text)
        yield system
        system.check_clean()
