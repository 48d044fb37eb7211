"""kill -9 at random moments, many times: nothing accepted is lost, nothing half-done stays, no QEMU is orphaned."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.compute import Memory
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import CloudInitSource, ContainerDiskSource, EmptyDiskSource, Volume
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate, VirtualMachine, VirtualMachineSpec
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import SolovirtError
from solovirt.store.objects import Objects
from tests.real.controllers.conftest import VMIS, VMS, Home

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("SOLOVIRT_TEST_KILLS", "15"))
NAMES = ("a", "b", "c", "d")
ROOT = Path(__file__).resolve().parents[3]


def machine(name: str) -> VirtualMachine:
    """A small machine with all that has to be made and removed: an overlay, an empty disk, a seed."""
    volumes = [
        Volume(name="root", container_disk=ContainerDiskSource(image="solovirt/tiny")),
        Volume(name="scratch", empty_disk=EmptyDiskSource(capacity="16Mi")),
        Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="#!/bin/sh\n")),
    ]
    disks = [Disk(name=volume.name, disk=DiskTarget(bus="virtio")) for volume in volumes]
    domain = Domain(memory=Memory(guest="96Mi"), devices=Devices(disks=disks))
    spec = VirtualMachineInstanceSpec(domain=domain, volumes=volumes, termination_grace_period_seconds=1)
    return VirtualMachine(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=VirtualMachineSpec(run_strategy="Always", template=InstanceTemplate(spec=spec)),
    )


async def change_something(objects: Objects, dice: random.Random) -> str:
    """What a user might want next; what it did."""
    name, what = dice.choice(NAMES), dice.choice(["create", "create", "toggle", "delete", "delete instance"])
    try:
        match what:
            case "create":
                await objects.create(VMS, machine(name))
            case "toggle":
                await objects.modify(VMS, "default", name, _toggle)
            case "delete":
                await objects.delete(VMS, "default", name)
            case _:
                await objects.delete(VMIS, "default", name, grace_period=dice.choice([0, 1]))
    except SolovirtError as error:
        return f"{what} {name}: {error.reason}"
    return f"{what} {name}"


def _toggle(vm: VirtualMachine) -> bool:
    vm.spec.run_strategy = "Halted" if vm.spec.run_strategy == "Always" else "Always"
    return True


async def test_kill_at_random_moments(home: Home) -> None:
    seed = random.randrange(10**6)
    print(f"{KILLS} kills, seed {seed}")
    dice = random.Random(seed)
    await home.close()
    story = []
    for _ in range(KILLS):
        objects = Objects.open(home.paths.database)
        story.append(await change_something(objects, dice))
        story.append(await change_something(objects, dice))
        await objects.close()
        story.append(f"killed after {_run_and_kill(home.root, dice.uniform(0.0, 1.2)):.2f} s")
    home.objects = Objects.open(home.paths.database)
    await home.start()
    await home.until(lambda: _at_rest(home), f"seed {seed}: {story}")
    _nothing_too_much(home, f"seed {seed}: {story}")
    for vm in home.objects.list(VMS).items:
        await home.objects.delete(VMS, "default", vm.metadata.name, grace_period=0)
    await home.until(lambda: not home.objects.list(VMS).items)
    assert home.holders() == [], f"seed {seed}"
    assert list((home.paths.state / "instances").iterdir()) == []
    assert list((home.paths.runtime / "vmi").iterdir()) == []
    for kind in ("pins", "launches", "grants", "explain"):
        assert home.objects.records.list(kind) == {}, f"{kind}, seed {seed}"


def _run_and_kill(root: Path, seconds: float) -> float:
    """A daemon that gets so many seconds after it has found what was there."""
    argv = [sys.executable, "-m", "tests.real.controllers.victim", str(root)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(seconds)
            raise AssertionError("the daemon ended by itself")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    return seconds


def _at_rest(home: Home) -> bool:
    vms = home.objects.list(VMS).items
    running = {vmi.metadata.name for vmi in home.objects.list(VMIS).items if vmi.status.phase == "Running"}
    wanted = {vm.metadata.name for vm in vms if vm.spec.run_strategy == "Always"}
    going = any(obj.metadata.deletion_timestamp for obj in (*vms, *home.objects.list(VMIS).items))
    return not going and running == wanted


def _nothing_too_much(home: Home, story: str) -> None:
    """One process, one directory for each VMI, and no others."""
    uids = {vmi.metadata.uid for vmi in home.objects.list(VMIS).items}
    assert {path.name for path in (home.paths.state / "instances").iterdir()} == uids, story
    assert {path.name for path in (home.paths.runtime / "vmi").iterdir()} == uids, story
    assert len(set(home.holders())) == len(uids), story
    assert len(home.objects.list(registry.EVENTS).items) > 0
