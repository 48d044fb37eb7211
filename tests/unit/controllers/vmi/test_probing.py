"""Probes over fakes: what a row of results does to a VMI. Periods are as short as a test allows."""

from __future__ import annotations

import asyncio

import pytest

from solovirt.api.kubevirt.spec.probes import ExecAction, GuestAgentPing, Probe
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import find_condition
from solovirt.controllers.vmi import probe_actions, probing
from solovirt.controllers.vmi.probing import Count
from solovirt.kit.errors import Forbidden
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, vm

PING = Probe(guest_agent_ping=GuestAgentPing(), period_seconds=1, failure_threshold=2, success_threshold=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A period lasts a few milliseconds."""

    async def short(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    monkeypatch.setattr(probing, "pause", short)


def ready(vmi: VirtualMachineInstance) -> tuple[str, str]:
    found = find_condition(vmi.status.conditions, "Ready")
    assert found is not None
    return found.status, found.reason


async def until(lab: Lab, wanted: tuple[str, str], name: str = "lone") -> None:
    async with asyncio.timeout(60):
        while ready(lab.vmi(name)) != wanted:
            await asyncio.sleep(0.002)


def test_only_a_row_turns_the_verdict() -> None:
    probe = Probe(success_threshold=2, failure_threshold=3)
    count = Count(good=False)
    turned = [count.take(probe, success) for success in (True, False, True, True, False, False, False)]
    assert turned == [False, False, False, True, False, False, True]
    assert not count.good


async def test_readiness_is_the_condition_ready(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.readiness_probe = PING
    await lab.objects.create(VMIS, made)
    await lab.settle()
    lab.host.machine.agent.deaf = True
    await until(lab, ("False", "ContainersNotReady"))
    lab.host.machine.agent.deaf = False
    await until(lab, ("True", ""))
    lab.host.machine.agent.deaf = True
    await until(lab, ("False", "ContainersNotReady"))
    assert "Unhealthy" in lab.reasons()
    assert lab.vmi("lone").status.phase == "Running"


async def test_a_paused_guest_is_not_asked(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.liveness_probe = PING
    await lab.objects.create(VMIS, made)
    await lab.settle()
    await lab.manager.operations.machine.pause("default", "lone")
    await lab.settle()
    lab.host.machine.agent.deaf = True
    asked = len(lab.host.machine.agent.commands)
    await asyncio.sleep(0.05)
    assert lab.vmi("lone").status.phase == "Running"
    assert len(lab.host.machine.agent.commands) == asked


async def test_a_frozen_guest_runs_no_programs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    async def attempt(probe: Probe, target: object) -> str:
        tried.append(probe)
        return ""

    monkeypatch.setattr(probe_actions, "attempt", attempt)
    made = lone_vmi()
    made.spec.readiness_probe = Probe(exec=ExecAction(command=["true"]), period_seconds=1)
    await lab.objects.create(VMIS, made)
    await lab.settle()
    await until(lab, ("True", ""))
    await lab.objects.records.put("freezes", lab.vmi("lone").metadata.uid, b"{}")
    await asyncio.sleep(0.01)
    before = len(tried)
    await asyncio.sleep(0.05)
    assert len(tried) == before
    await lab.objects.records.delete("freezes", lab.vmi("lone").metadata.uid)
    async with asyncio.timeout(60):
        while len(tried) == before:
            await asyncio.sleep(0.002)


async def test_a_dead_guest_is_ended_and_its_strategy_acts(lab: Lab) -> None:
    made = vm("RerunOnFailure")
    made.spec.template.spec.liveness_probe = PING
    await lab.objects.create(VMS, made)
    await lab.settle()
    first = lab.vmi().metadata.uid
    lab.host.machine.agent.deaf = True
    async with asyncio.timeout(60):
        while (found := lab.find_vmi()) is not None and found.metadata.uid == first:
            await asyncio.sleep(0.002)
    await lab.settle()
    assert "Killing" in lab.reasons("VirtualMachineInstance")
    failure = lab.vm().status.start_failure
    assert failure is not None and failure.last_failed_vmi_uid == first


async def test_a_new_daemon_believes_what_was_known(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = lone_vmi()
    made.spec.readiness_probe = PING
    await lab.objects.create(VMIS, made)
    await lab.settle()
    await until(lab, ("True", ""))

    async def never(*arguments: object) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(probe_actions, "attempt", never)
    await lab.restart()
    assert ready(lab.vmi("lone")) == ("True", "")


async def test_pausing_is_forbidden_with_another_liveness_probe(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.liveness_probe = Probe(exec=ExecAction(command=["true"]), initial_delay_seconds=999)
    await lab.objects.create(VMIS, made)
    await lab.settle()
    with pytest.raises(Forbidden, match='"lone" is forbidden: Pausing VMIs with LivenessProbe'):
        await lab.manager.operations.machine.pause("default", "lone")
