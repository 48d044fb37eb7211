from __future__ import annotations

from datetime import timedelta

import pytest

from solovirt.api.kubevirt.spec.features import Features, FeatureState
from solovirt.controllers.vmi.ender import deadline_of, grace_of, has_acpi
from solovirt.hypervisor.model import RunState
from solovirt.kit import timestamps
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi

NOW = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("asked", "given", "grace"), [(None, None, 30), (None, 180, 180), (5, 180, 5), (0, 180, 0), (None, 0, 0)]
)
def test_grace(asked: int | None, given: int | None, grace: int) -> None:
    vmi = lone_vmi()
    vmi.metadata.deletion_timestamp = NOW
    vmi.metadata.deletion_grace_period_seconds = asked
    vmi.spec.termination_grace_period_seconds = given
    assert grace_of(vmi) == grace
    assert deadline_of(vmi) - timestamps.parse(NOW) == timedelta(seconds=grace + 1 if grace else 0)


def test_acpi() -> None:
    vmi = lone_vmi()
    assert has_acpi(vmi)
    vmi.spec.domain.features = Features(acpi=FeatureState(enabled=False))
    assert not has_acpi(vmi)


async def test_a_paused_guest_is_woken_to_shut_down(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    await lab.host.machine.pause()
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    assert lab.host.launched[0].calls == ["resume", "powerdown", "quit"]
    assert lab.find_vmi("lone") is None


async def test_a_guest_that_cannot_hear_is_not_waited_for(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.domain.features = Features(acpi=FeatureState(enabled=False))
    await lab.objects.create(VMIS, made)
    await lab.objects.create(VMIS, lone_vmi("stuck"))
    await lab.settle()
    lab.host.alive[lab.vmi("stuck").metadata.uid].run_state = RunState.IO_ERROR
    for name in ("lone", "stuck"):
        await lab.objects.delete(VMIS, "default", name)
    await lab.settle()
    assert not lab.host.alive
    assert all(machine.calls == ["quit"] for machine in lab.host.launched)


async def test_an_agent_is_asked_too(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    machine = lab.host.machine
    machine.connect_agent()
    lab.host.deaf = True
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    assert machine.agent.commands == ["guest-shutdown"]
    assert lab.vmi("lone").status.phase == "Running"
