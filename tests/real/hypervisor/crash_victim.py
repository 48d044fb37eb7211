"""A process that starts one machine and is killed meanwhile: ``crash_victim.py ROOT``. Not a test itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from solovirt.hypervisor.supervisor import Hypervisor
from tests.real.hypervisor.machines import machine


async def main() -> None:
    hypervisor = Hypervisor(lambda event: None)
    print("go", flush=True)
    await asyncio.sleep(0.03)  # so that it is also killed before it begins
    await hypervisor.launch(machine(Path(sys.argv[1])))
    print("launched", flush=True)
    await asyncio.sleep(60)


asyncio.run(main())
