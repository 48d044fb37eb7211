"""The real daemon around a manager that manages nothing: for tests of the daemon's own life.

Started as a program; the directories come from the environment, as always.
"""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

from solovirt.host import facts
from solovirt.host.images.store import ImageStore
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths, from_environment
from tests.support.fakes import FakeOperations


class LoneManager:
    """``TEST_FAIL`` in the environment makes its start fail."""

    def __init__(self, paths: Paths, *_: object, **__: object) -> None:
        self.operations = FakeOperations()
        self.images = ImageStore(paths.images)

    async def start(self) -> None:
        if os.environ.get("TEST_FAIL"):
            raise HostError("nothing works here", hint="try another host")
        await self.images.open()

    async def stop(self) -> None:
        await self.images.close()


async def no_probe(paths: Paths, **_: object) -> None:
    """Facts that nobody looks at."""


def main() -> int:
    module = types.ModuleType("solovirt.controllers.manager")
    module.Manager = LoneManager  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    facts.probe = no_probe  # type: ignore[assignment]
    if given := os.environ.pop("TEST_LISTEN", ""):
        # As systemd does it: the socket is descriptor 3, and the environment names this process.
        os.dup2(int(given), 3)
        os.environ["LISTEN_PID"] = str(os.getpid())
    from solovirt.server import daemon

    return daemon.run(from_environment())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(main())
