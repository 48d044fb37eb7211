"""Users, guests and daemons that do what they like: never two machines of one VM, and always the wanted end."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest

from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit.errors import NotFound, SolovirtError
from tests.unit.controllers.lab import VMIS, VMS, Lab, refused, vm

STRATEGIES = ("Always", "RerunOnFailure", "Manual", "Halted", "Once")
NAMES = ("a", "b")


USER = ("create", "create", "delete", "delete vmi", "start", "start paused", "stop", "restart", "strategy")
WORLD = ("power off", "crash", "daemon", "time", "deaf", "refuse")


async def step(lab: Lab, dice: random.Random) -> str:
    """Anything that may happen; what it was."""
    what, name = dice.choice(USER + WORLD), dice.choice(NAMES)
    if what in USER:
        await user(lab, dice, what, name)
    else:
        await world(lab, dice, what)
    return f"{what} {name}"


async def user(lab: Lab, dice: random.Random, what: str, name: str) -> None:
    operations = lab.manager.operations
    match what:
        case "create":
            await lab.objects.create(VMS, vm(dice.choice(STRATEGIES), name))
        case "delete":
            await lab.objects.delete(VMS, "default", name)
        case "delete vmi":
            await lab.objects.delete(VMIS, "default", name)
        case "start" | "start paused":
            await operations.start("default", name, paused=what == "start paused")
        case "stop":
            await operations.stop("default", name, grace_period=dice.choice([None, 0]))
        case "restart":
            await operations.restart("default", name, grace_period=dice.choice([None, 0]))
        case _:
            await lab.objects.modify(VMS, "default", name, _strategy(dice.choice(STRATEGIES)))


async def world(lab: Lab, dice: random.Random, what: str) -> None:
    machines = list(lab.host.alive.values())
    match what:
        case "power off" if machines:
            dice.choice(machines).power_off()
        case "crash" if machines:
            dice.choice(machines).exit(-11)
        case "daemon":
            await lab.restart()
        case "time":
            await lab.pass_(dice.choice([1, 20, 400]))
        case "deaf":
            lab.host.deaf = not lab.host.deaf
        case "refuse":
            lab.host.launch_error = None if lab.host.launch_error else refused()
        case _:
            pass


def _strategy(strategy: str) -> Callable[[VirtualMachine], bool]:
    def change(found: VirtualMachine) -> bool:
        found.spec.run_strategy = strategy
        return True

    return change


def check(lab: Lab, story: list[str]) -> None:
    vmis = {vmi.metadata.uid: vmi for vmi in lab.objects.list(VMIS).items}
    assert lab.host.alive.keys() <= vmis.keys(), story
    owners = [vmi.metadata.owner_references[0].uid for vmi in vmis.values()]
    assert len(owners) == len(set(owners)), story


@pytest.mark.parametrize("seed", range(6))
async def test_walk(lab: Lab, seed: int) -> None:
    dice = random.Random(seed)
    story: list[str] = []
    for _ in range(40):
        with contextlib.suppress(SolovirtError):
            story.append(await step(lab, dice))
        if dice.random() < 0.6:
            await lab.settle()
            check(lab, story)
    lab.host.deaf = False
    lab.host.launch_error = None
    await lab.pass_(3600)
    await lab.pass_(3600)
    check(lab, story)
    for name in NAMES:
        found = lab.objects.find(VMS, "default", name)
        vmi = lab.find_vmi(name)
        if found is None:
            assert vmi is None, story
            continue
        assert not found.status.state_change_requests, story
        phase = vmi.status.phase if vmi is not None else ""
        wanted = {"Always": "Running", "Halted": ""}.get(found.spec.run_strategy, phase)
        assert phase == wanted, (story, found.spec.run_strategy)
    for name in NAMES:
        with contextlib.suppress(NotFound):
            await lab.objects.delete(VMS, "default", name)
    await lab.settle()
    assert lab.objects.list(VMS).items == lab.objects.list(VMIS).items == []
    assert lab.manager._vmis.records.uids() == set()
    assert lab.objects.records.list("pins") == {}
