"""kill -9 of a daemon whose machine has firmware, a TPM and shared directories: no helper and no state is left over,
and what shall be kept with the VM is kept.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from solovirt.host import access
from solovirt.hypervisor import lock
from solovirt.store.objects import Objects
from tests.real.controllers.conftest import VMIS, VMS, Home
from tests.real.controllers.test_disks import CLAIM, CONFIG, apply
from tests.real.controllers.test_firmware import MACHINE, SECRET
from tests.real.controllers.test_killed import _run_and_kill, _toggle

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("SOLOVIRT_TEST_KILLS", "8"))
HELPERS = ("swtpm", "virtiofsd-kept", "virtiofsd-settings")


def helper_locks(home: Home) -> dict[str, list[int]]:
    found = (home.paths.state / "instances").glob("*/*.lock")
    return {path.name.removesuffix(".lock"): lock.holders(path) for path in found if path.name != lock.NAME}


def strays(home: Home) -> list[str]:
    """Other processes that have files of this state directory open: their logs and locks, deleted or not."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            links = [os.readlink(link) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        found += [f"{entry.name}: {link}" for link in links if link.startswith(str(home.root))]
    return found


async def test_kill_with_programs_beside_the_machine(home: Home) -> None:
    seed = random.randrange(10**6)
    print(f"{KILLS} kills, seed {seed}")
    dice = random.Random(seed)
    machine = MACHINE.replace("PERSISTENT", "true").replace("runStrategy: Manual", "runStrategy: Always")
    for text in (CLAIM, CONFIG, SECRET):
        await apply(home, text)
    await home.close()
    home.objects = Objects.open(home.paths.database)
    await apply(home, machine.encode())
    await home.objects.close()
    for _ in range(KILLS):
        objects = Objects.open(home.paths.database)
        if dice.random() < 0.4:
            await objects.modify(VMS, "default", "hello", _toggle)
        elif objects.find(VMIS, "default", "hello") is not None and dice.random() < 0.4:
            await objects.delete(VMIS, "default", "hello", grace_period=0)
        await objects.close()
        _run_and_kill(home.root, dice.uniform(0.1, 1.5))
    home.objects = Objects.open(home.paths.database)
    await home.start()
    vm = home.vm()
    if vm.spec.run_strategy != "Always":
        await home.objects.modify(VMS, "default", "hello", _toggle)
    await home.until(lambda: home.phase() == "Running", f"seed {seed}")
    held = helper_locks(home)
    assert sorted(held) == sorted(HELPERS) and all(held.values()), f"seed {seed}: {held}"
    assert strays(home), "this is what they look like"
    assert len(set(home.holders())) == 1, f"seed {seed}"
    uid = home.vmi().metadata.uid
    assert [path.name for path in (home.paths.state / "instances").iterdir()] == [uid], f"seed {seed}"
    kept = home.paths.vm(vm.metadata.uid)
    state = (kept / "nvram.fd").stat(), (kept / "tpm").stat()
    if access.is_root():
        record = home.manager._vmis.records.grant(uid)
        assert record is not None and {found.st_uid for found in state} == {record.uid}, f"seed {seed}"
    await home.objects.delete(VMS, "default", "hello", grace_period=0)
    await home.until(lambda: not home.objects.list(VMS).items and not home.objects.list(VMIS).items, f"seed {seed}")
    await home.until(lambda: not strays(home), f"seed {seed}: {strays(home)}")
    assert list((home.paths.state / "instances").iterdir()) == [], f"seed {seed}"
    assert list((home.paths.state / "vms").iterdir()) == [], f"seed {seed}"
    assert list((home.paths.runtime / "vmi").iterdir()) == [], f"seed {seed}"
    for kind in ("pins", "launches", "grants", "explain"):
        assert home.objects.records.list(kind) == {}, f"{kind}, seed {seed}"
