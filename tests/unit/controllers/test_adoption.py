from __future__ import annotations

import pytest

from solovirt.controllers.vmi.records import GrantRecord, LaunchRecord
from solovirt.kit.errors import Unavailable
from tests.unit.controllers.lab import VMIS, FakeHypervisor, Lab, lone_vmi


async def test_what_belongs_to_nobody_goes(lab: Lab) -> None:
    records = lab.manager._vmis.records
    await records.put_launch("stranger", LaunchRecord("default", "x", "uuid", ("qemu",)))
    await records.put_grant("other", GrantRecord(7))
    lab.paths.instance("stranger").mkdir()
    (lab.paths.instance("stranger") / "disk.qcow2").touch()
    lab.paths.sockets("third").mkdir()
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    await lab.restart()
    assert [path.name for path in lab.paths.instance("x").parent.iterdir()] == [lab.vmi("lone").metadata.uid]
    assert list(lab.paths.sockets("x").parent.iterdir()) == []
    assert lab.manager._vmis.records.uids() == {lab.vmi("lone").metadata.uid}


async def test_many_are_adopted(lab: Lab) -> None:
    for number in range(20):
        await lab.objects.create(VMIS, lone_vmi(f"vm-{number}"))
    await lab.settle()
    assert len(lab.host.alive) == 20
    await lab.restart()
    assert len(lab.host.launched) == 20
    assert {vmi.status.phase for vmi in lab.objects.list(VMIS).items} == {"Running"}


async def test_a_machine_that_does_not_answer_now_is_not_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    adopt = FakeHypervisor.adopt

    async def silent(self: FakeHypervisor, identity: object) -> None:
        raise Unavailable("busy")

    monkeypatch.setattr(FakeHypervisor, "adopt", silent)
    await lab.restart()
    assert lab.vmi("lone").status.phase == "Running"
    monkeypatch.setattr(FakeHypervisor, "adopt", adopt)
    await lab.pass_(0)
    assert lab.vmi("lone").status.phase == "Running"
    assert len(lab.host.launched) == 1
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Succeeded"
