"""SIGKILL while a machine is being started: afterwards it runs and is found, or it is not there; nothing in between."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from solovirt.hypervisor import lock
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.supervisor import Hypervisor
from tests.real.hypervisor.machines import Events, machine

pytestmark = pytest.mark.real

HOUSE = Path(__file__).parents[3]


async def kill_while_launching(root: Path, delay: float) -> None:
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.real.hypervisor.crash_victim", str(root)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"go\n"
    await asyncio.sleep(delay)
    victim.kill()
    await victim.communicate()


async def test_killed_at_random_moments_around_launch(root: Path) -> None:
    count = int(os.environ.get("SOLOVIRT_FAULT_COUNT", "12"))
    seed = int(os.environ.get("SOLOVIRT_FAULT_SEED") or random.randrange(10**6))
    moments = random.Random(seed)
    outcomes = {"running": 0, "absent": 0}
    for number in range(count):
        place = root / str(number)
        launch = machine(place)
        await kill_while_launching(place, moments.uniform(0, 0.15))
        events = Events()
        hypervisor = Hypervisor(events)
        instance = await hypervisor.adopt(launch.identity)
        what = f"count {count}, seed {seed}, number {number}"
        if instance is None:
            outcomes["absent"] += 1
            assert not lock.is_held(launch.directory), what
            assert not list(place.rglob("*.sock")), what
            instance = await hypervisor.launch(launch)
        else:
            outcomes["running"] += 1
        assert await instance.status() is RunState.RUNNING, what
        assert lock.holders(launch.directory / lock.NAME) == [instance.pid], what
        await instance.kill()
        await hypervisor.close()
    print(f"killed {count} times with seed {seed}: {outcomes}")
    assert sum(outcomes.values()) == count


async def test_killed_while_it_runs_is_not_noticed_by_the_machine(
    root: Path, hypervisor: Hypervisor, events: Events
) -> None:
    launch = machine(root)
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.real.hypervisor.crash_victim", str(root)),
        cwd=HOUSE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"go\n"
    assert await victim.stdout.readline() == b"launched\n"
    [pid] = lock.holders(launch.directory / lock.NAME)
    victim.kill()
    await victim.communicate()
    instance = await hypervisor.adopt(launch.identity)
    assert instance is not None
    assert instance.pid == pid
    assert events.all == []
    await instance.quit()
    assert events.all[-1].kind == "exited"
    assert events.all[-1].exit_code is None, "it was not our child"
    assert events.all[-1].detail == "QEMU exited"
