"""kill -9 while a set and a pool change their number: never one too many, and every QEMU belongs to a VMI."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from solovirt.api import decode, registry
from solovirt.api.kubevirt.replicaset import VirtualMachineInstanceReplicaSet
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.api.replicas import wanted_replicas
from solovirt.kit import yaml
from solovirt.store.objects import Objects
from tests.real.controllers.conftest import VMIS, VMS, Home
from tests.real.controllers.test_killed import _run_and_kill

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("SOLOVIRT_TEST_KILLS", "15")) // 2
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SETS, POOLS = registry.REPLICA_SETS, registry.POOLS


async def test_the_number_is_right_in_the_end(home: Home) -> None:
    seed = random.randrange(10**6)
    print(f"{KILLS} kills, seed {seed}")
    dice = random.Random(seed)
    await _create(home)
    await home.close()
    for _ in range(KILLS):
        objects = Objects.open(home.paths.database)
        await _change(objects, dice.randrange(4), dice.randrange(3), f"host-{dice.randrange(3)}")
        await objects.close()
        _run_and_kill(home.root, dice.uniform(0.0, 1.5))
    home.objects = Objects.open(home.paths.database)
    await _change(home.objects, 1, 2, "last")
    await home.start()
    await home.until(lambda: _at_rest(home), f"seed {seed}")
    uids = {vmi.metadata.uid for vmi in home.objects.list(VMIS).items}
    assert {path.name for path in (home.paths.state / "instances").iterdir()} == uids, f"seed {seed}"
    assert len(set(home.holders())) == len(uids) == 3, f"seed {seed}"
    await home.objects.delete(SETS, "default", "replicaset")
    await home.objects.delete(POOLS, "default", "pool")
    kinds = (VMS, VMIS, registry.DATA_VOLUMES, registry.PERSISTENT_VOLUME_CLAIMS)
    await home.until(lambda: not any(home.objects.list(kind).items for kind in kinds), f"seed {seed}")
    await home.until(lambda: home.holders() == [])
    assert list((home.paths.state / "instances").iterdir()) == []


async def _create(home: Home) -> None:
    for name, kind in (("replicaset", SETS), ("pool", POOLS)):
        file = EXAMPLES / f"{name}.yaml"
        made = decode.decode(kind, yaml.load_all(file.read_bytes(), source=str(file))[0].value).object
        made.metadata.namespace = "default"
        await home.objects.create(kind, made)


async def _change(objects: Objects, in_set: int, in_pool: int, hostname: str) -> None:
    def scale(found: VirtualMachineInstanceReplicaSet) -> bool:
        found.spec.replicas = in_set
        return True

    def change(found: VirtualMachinePool) -> bool:
        found.spec.replicas = in_pool
        found.spec.virtual_machine_template.spec.template.spec.hostname = hostname
        return True

    await objects.modify(SETS, "default", "replicaset", scale)
    await objects.modify(POOLS, "default", "pool", change)


def _at_rest(home: Home) -> bool:
    """As many as wanted, all running, all of the last template, nobody on the way out."""
    vmis = home.objects.list(VMIS).items
    if any(vmi.metadata.deletion_timestamp or vmi.status.phase != "Running" for vmi in vmis):
        return False
    pool = home.objects.get(POOLS, "default", "pool")
    machines = {vm.metadata.name for vm in home.objects.list(VMS).items}
    of_pool = [vmi for vmi in vmis if vmi.metadata.name in machines]
    of_set = len(vmis) - len(of_pool)
    return (
        of_set == wanted_replicas(home.objects.get(SETS, "default", "replicaset").spec.replicas)
        and len(of_pool) == len(machines) == wanted_replicas(pool.spec.replicas)
        and {vmi.spec.hostname for vmi in of_pool} == {"last"}
    )
