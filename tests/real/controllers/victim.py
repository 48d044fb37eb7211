"""A daemon without its API, to be killed: ``python -m tests.real.controllers.victim ROOT``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.real.controllers.conftest import Home


async def main() -> None:
    home = Home(Path(sys.argv[1]))
    await home.start()
    print("started", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
