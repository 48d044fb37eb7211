from __future__ import annotations

import os

import pytest

from solovirt.api.kubevirt.spec.compute import CPU
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import find_condition
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, vm


def unschedulable(vmi: VirtualMachineInstance) -> str:
    found = find_condition(vmi.status.conditions, "PodScheduled")
    return found.message if found is not None and found.reason == "Unschedulable" else ""


async def test_a_vm_waits_for_its_node_and_starts_by_itself(lab: Lab) -> None:
    made = vm()
    made.spec.template.spec.node_selector = {"zone": "cellar"}
    await lab.objects.create(VMS, made)
    await lab.settle()
    first = lab.vmi()
    text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    assert unschedulable(first).startswith(text)
    assert "SOLOVIRT_NODE_LABELS=zone=cellar" in unschedulable(first)
    assert (lab.shown(), first.status.phase) == ("ErrorUnschedulable", "Scheduling")
    assert lab.reasons("VirtualMachineInstance") == ["FailedScheduling"]

    def change(found: VirtualMachine) -> bool:
        found.spec.template.spec.node_selector = {}
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    assert lab.shown() == "Running"
    assert (lab.vmi().metadata.uid, unschedulable(lab.vmi())) == (first.metadata.uid, "")
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is None


async def test_a_running_one_follows_and_stays(lab: Lab) -> None:
    await lab.create()
    uid = lab.vmi().metadata.uid

    def change(found: VirtualMachine) -> bool:
        found.spec.template.spec.node_selector = {"zone": "cellar"}
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    assert lab.vmi().spec.node_selector == {"zone": "cellar"}
    assert (lab.shown(), lab.vmi().metadata.uid) == ("Running", uid)


def dedicated(name: str, cores: int = 1) -> VirtualMachineInstance:
    made = lone_vmi(name)
    made.spec.domain.cpu = CPU(cores=cores, dedicated_cpu_placement=True)
    return made


async def test_a_cpu_is_one_machines_until_that_is_gone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 5})
    for name in ("a", "b", "c"):
        await lab.objects.create(VMIS, dedicated(name))
        await lab.settle()
    records = lab.manager._vmis.records
    given = {}
    for name in ("a", "b"):
        record = records.launch(lab.vmi(name).metadata.uid)
        assert record is not None and record.cpus is not None
        given[name] = record.cpus.vcpus
    assert sorted(given.values()) == [(4,), (5,)]
    assert "1 Insufficient cpu" in unschedulable(lab.vmi("c"))
    pinned = {machine.identity.pinning.vcpus for machine in lab.host.launched if machine.identity.pinning is not None}
    assert pinned == {(4,), (5,)}
    await lab.restart()
    assert "1 Insufficient cpu" in unschedulable(lab.vmi("c")), "a new daemon knows whose they are"
    await lab.objects.delete(VMIS, "default", "a", grace_period=0)
    await lab.settle()
    assert lab.vmi("c").status.phase == "Running", "at once when there is room"
    record = records.launch(lab.vmi("c").metadata.uid)
    assert record is not None and record.cpus is not None
    assert record.cpus.vcpus == given["a"]


async def test_what_has_ended_keeps_no_cpu(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4})
    await lab.objects.create(VMIS, dedicated("a"))
    await lab.settle()
    await lab.objects.create(VMIS, dedicated("b"))
    await lab.settle()
    lab.host.machine.power_off()
    await lab.settle()
    assert (lab.vmi("a").status.phase, lab.vmi("b").status.phase) == ("Succeeded", "Running")
