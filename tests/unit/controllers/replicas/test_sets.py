"""Replica sets over fakes: as many as are wanted, whatever happens to them."""

from __future__ import annotations

from typing import TypeVar

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.replicaset import ReplicaSetSpec, VirtualMachineInstanceReplicaSet
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import KubeObject, find_condition
from solovirt.api.resource import Resource
from solovirt.controllers.replicas import common
from solovirt.controllers.replicas.common import controller_of
from solovirt.kit.errors import HostError
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi, refused
from tests.unit.controllers.replicas.world import LABELS, SETS, change_set, replica_set, vmis

T = TypeVar("T", bound=KubeObject)


def found(lab: Lab) -> VirtualMachineInstanceReplicaSet:
    return lab.objects.get(SETS, "default", "web")


async def scale(lab: Lab, replicas: int) -> None:
    def change(spec: ReplicaSetSpec) -> None:
        spec.replicas = replicas

    await change_set(lab, change)


async def create(lab: Lab, replicas: int | None = 3) -> VirtualMachineInstanceReplicaSet:
    made = await lab.objects.create(SETS, replica_set(replicas))
    await lab.settle()
    return made


async def test_as_many_as_are_wanted(lab: Lab) -> None:
    made = await create(lab)
    assert len(vmis(lab)) == len(lab.host.alive) == 3
    for vmi in vmis(lab):
        assert vmi.metadata.name.startswith("web") and len(vmi.metadata.name) == len("web") + 5
        assert vmi.metadata.labels["app"] == "web"
        ref = controller_of(vmi)
        assert ref is not None and (ref.kind, ref.uid) == (SETS.kind, made.metadata.uid)
    status = found(lab).status
    assert (status.replicas, status.ready_replicas, status.label_selector) == (3, 3, "app=web")
    assert lab.reasons(SETS.kind).count("SuccessfulCreate") == 3


async def test_one_if_none_is_said(lab: Lab) -> None:
    await create(lab, None)
    assert len(vmis(lab)) == 1


async def test_up_and_down(lab: Lab) -> None:
    await create(lab, 1)
    await scale(lab, 4)
    assert len(vmis(lab)) == 4
    await scale(lab, 2)
    assert len(vmis(lab)) == len(lab.host.alive) == 2
    assert lab.reasons(SETS.kind).count("SuccessfulDelete") == 2
    await scale(lab, 0)
    assert not vmis(lab)
    assert found(lab).status.replicas == 0


async def test_those_that_are_not_ready_go_first(lab: Lab) -> None:
    await create(lab, 2)
    kept = {vmi.metadata.name for vmi in vmis(lab)}
    lab.host.prepare_error = HostError("no such image", reason="ErrImagePull")
    await scale(lab, 4)
    assert len(vmis(lab)) == 4
    await scale(lab, 2)
    assert {vmi.metadata.name for vmi in vmis(lab)} == kept


async def test_one_that_is_deleted_is_replaced_at_once(lab: Lab) -> None:
    await create(lab, 2)
    lab.host.deaf = True
    gone = vmis(lab)[0].metadata.name
    await lab.objects.delete(VMIS, "default", gone)
    await lab.settle()
    assert len(vmis(lab)) == 3, "the old one has not ended yet"
    assert found(lab).status.replicas == 2


async def test_a_guest_that_ends_is_replaced(lab: Lab) -> None:
    await create(lab, 1)
    first = vmis(lab)[0].metadata.uid
    lab.clock.pass_(100)
    lab.host.machine.power_off()
    await lab.settle()
    [second] = vmis(lab)
    assert second.metadata.uid != first
    assert second.status.phase == "Running"


async def test_one_that_fails_at_once_is_not_replaced_at_once(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await create(lab, 1)
    [failed] = vmis(lab)
    assert failed.status.phase == "Failed"
    assert found(lab).status.replicas == 0
    lab.host.launch_error = None
    await look_after(lab, 9)
    assert [vmi.metadata.uid for vmi in vmis(lab)] == [failed.metadata.uid]
    await look_after(lab, 2)
    [second] = vmis(lab)
    assert second.metadata.uid != failed.metadata.uid and second.status.phase == "Running"


async def look_after(lab: Lab, seconds: float) -> None:
    lab.clock.pass_(seconds)
    lab.manager._replica_sets.wake_all()
    await lab.settle()


async def test_a_failed_one_goes_when_none_is_wanted(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await create(lab, 1)
    await scale(lab, 0)
    assert not vmis(lab)


async def test_orphans_are_adopted_and_strangers_let_go(lab: Lab) -> None:
    lone = lone_vmi()
    lone.metadata.labels = dict(LABELS)
    await lab.objects.create(VMIS, lone)
    stranger = lone_vmi("stranger")
    await lab.objects.create(VMIS, stranger)
    await lab.settle()
    made = await create(lab, 2)
    ref = controller_of(lab.vmi("lone"))
    assert ref is not None and ref.uid == made.metadata.uid
    assert controller_of(lab.vmi("stranger")) is None
    assert len(vmis(lab)) == 3, "one was made"

    def relabel(vmi: VirtualMachineInstance) -> bool:
        vmi.metadata.labels["app"] = "other"
        return True

    await lab.objects.modify(VMIS, "default", "lone", relabel)
    await lab.settle()
    assert controller_of(lab.vmi("lone")) is None
    assert len(vmis(lab)) == 4, "another took its place"


async def test_a_vms_instance_is_not_adopted(lab: Lab) -> None:
    machine = await lab.create("Always", "web0")

    def relabel(vmi: VirtualMachineInstance) -> bool:
        vmi.metadata.labels.update(LABELS)
        return True

    await lab.objects.modify(VMIS, "default", "web0", relabel)
    await create(lab, 1)
    ref = controller_of(lab.vmi("web0"))
    assert ref is not None and ref.uid == machine.metadata.uid


async def test_two_sets_do_not_share_an_orphan(lab: Lab) -> None:
    lone = lone_vmi()
    lone.metadata.labels = dict(LABELS)
    await lab.objects.create(SETS, replica_set(1, "a"))
    await lab.objects.create(SETS, replica_set(1, "b"))
    await lab.settle()
    await lab.objects.create(VMIS, lone)
    await lab.settle()
    assert len(vmis(lab)) == 2
    owners = sorted(ref.name for vmi in vmis(lab) if (ref := controller_of(vmi)))
    assert owners == ["a", "b"]


async def test_paused(lab: Lab) -> None:
    await create(lab, 1)

    def pause(spec: ReplicaSetSpec) -> None:
        spec.paused, spec.replicas = True, 3

    await change_set(lab, pause)
    assert len(vmis(lab)) == 1
    condition = find_condition(found(lab).status.conditions, "ReplicaPaused")
    assert condition is not None and (condition.status, condition.reason) == ("True", "Paused")

    def resume(spec: ReplicaSetSpec) -> None:
        spec.paused = False

    await change_set(lab, resume)
    assert len(vmis(lab)) == 3
    assert found(lab).status.conditions == []
    reasons = lab.reasons(SETS.kind)
    assert reasons.index("SuccessfulPaused") < reasons.index("SuccessfulResumed")


async def test_what_cannot_be_made_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab.objects.create

    async def full(res: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        if res.key == VMIS.key:
            raise HostError("the disk is full", reason="StorageFull")
        return await real(res, obj, dry_run=dry_run)

    monkeypatch.setattr(lab.objects, "create", full)
    await create(lab, 1)
    condition = find_condition(found(lab).status.conditions, "ReplicaFailure")
    assert condition is not None
    assert (condition.reason, condition.message) == ("FailedCreate", "the disk is full")
    assert "FailedCreate" in lab.reasons(SETS.kind)
    monkeypatch.setattr(lab.objects, "create", real)
    lab.manager._replica_sets.wake_all()
    await lab.settle()
    assert find_condition(found(lab).status.conditions, "ReplicaFailure") is None
    assert len(vmis(lab)) == 1


async def test_deleting_a_set_takes_its_machines_or_leaves_them(lab: Lab) -> None:
    await create(lab, 2)
    await lab.objects.delete(SETS, "default", "web", propagation="Orphan")
    await lab.settle()
    assert len(vmis(lab)) == 2 and all(controller_of(vmi) is None for vmi in vmis(lab))
    await create(lab, 2)
    assert len(vmis(lab)) == 2, "taken back"
    await lab.objects.delete(SETS, "default", "web")
    await lab.settle()
    assert not vmis(lab) and not lab.host.alive


async def test_a_new_daemon_finds_the_right_number(lab: Lab) -> None:
    await create(lab, 2)
    await lab.manager.stop()

    def more(present: VirtualMachineInstanceReplicaSet) -> bool:
        present.spec.replicas = 3
        return True

    await lab.objects.modify(SETS, "default", "web", more)
    lab.manager = lab._manager()
    await lab.start()
    assert len(vmis(lab)) == len(lab.host.alive) == 3


async def test_many_at_once_in_bursts(lab: Lab) -> None:
    lab.host.prepare_error = HostError("not now", reason="ErrImagePull")
    await create(lab, 70)
    assert len(vmis(lab)) == 70
    await scale(lab, 0)
    assert not vmis(lab)
    assert registry.REPLICA_SETS.scale is not None


async def test_more_than_a_host_can_have(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "MOST", 3)
    await create(lab, 2**31 - 1)
    assert len(vmis(lab)) == 3
    failure = find_condition(found(lab).status.conditions, "ReplicaFailure")
    assert failure is not None and failure.message == (
        "one host makes at most 3 replicas of one object, 2147483647 are wanted"
    )
    await scale(lab, 2)
    assert len(vmis(lab)) == 2 and not find_condition(found(lab).status.conditions, "ReplicaFailure")
