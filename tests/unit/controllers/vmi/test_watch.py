from __future__ import annotations

from typing import cast

import pytest

from solovirt.api.meta import find_condition
from solovirt.controllers.vmi.live.concern import Report
from solovirt.controllers.vmi.probe_actions import Reach
from solovirt.controllers.vmi.status import domain_interfaces
from solovirt.hypervisor.instance import Instance
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


async def test_the_way_to_a_guest(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi, watch = lab.vmi("lone"), lab.manager._vmis.watch
    view = watch.look(vmi, cast(Instance, lab.host.machine), None)
    assert watch._reach(vmi, view) == Reach("10.0.2.2", "hostua-default")
    assert view.ready is None
    vmi.spec.networks = []
    assert watch._reach(vmi, view) == Reach()


async def test_the_launch_is_shown(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    status = lab.vmi("lone").status
    assert status.qos_class == "Burstable"
    assert find_condition(status.conditions, "AgentVersionNotSupported") is None


async def test_the_agent_is_asked_when_nics_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi, vmis = lab.vmi("lone"), lab.manager._vmis
    hurried: list[str] = []
    monkeypatch.setattr(vmis.agents, "soon", hurried.append)
    shown: list[list[str]] = []
    for nics in (None, {"default": "up"}, {"default": "up"}, {"default": "down"}, {}):
        monkeypatch.setattr(vmis.live, "report", lambda uid, nics=nics: Report(nics=nics))
        view = vmis.watch.look(vmi, cast(Instance, lab.host.machine), None)
        shown.append([f"{nic.name} {nic.link_state}" for nic in domain_interfaces(vmi, view)])
    assert len(hurried) == 3
    assert shown == [["default up"], ["default up"], ["default up"], ["default down"], []]
