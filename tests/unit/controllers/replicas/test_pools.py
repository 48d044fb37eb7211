"""Pools over fakes: VMs of the wanted number and of the wanted template, whatever happens to them."""

from __future__ import annotations

from typing import TypeVar

import pytest

from solovirt.api import registry
from solovirt.api.cdi.datavolume import BlankSource, DataVolumeImport, DataVolumeSpec, StorageResources, StorageSpec
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import DataVolumeSource, Volume
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate, VirtualMachine
from solovirt.api.meta import KubeObject, ObjectMeta, find_condition
from solovirt.api.pool.virtualmachinepool import (
    Autohealing,
    OpportunisticScaleIn,
    OpportunisticUpdate,
    PoolSpec,
    ProactiveScaleIn,
    ScaleInStrategy,
    SelectionPolicy,
    Unmanaged,
    UpdateStrategy,
    VirtualMachinePool,
)
from solovirt.api.resource import Resource
from solovirt.controllers.replicas import common, stamp
from solovirt.controllers.replicas.common import controller_of
from solovirt.kit.errors import HostError
from tests.unit.controllers.lab import VMIS, VMS, Lab, refused, vm
from tests.unit.controllers.replicas.world import POOLS, change_pool, names, pool, vms

T = TypeVar("T", bound=KubeObject)


def found(lab: Lab) -> VirtualMachinePool:
    return lab.objects.get(POOLS, "default", "web")


async def create(lab: Lab, made: VirtualMachinePool | None = None) -> VirtualMachinePool:
    stored = await lab.objects.create(POOLS, made or pool())
    await lab.settle()
    return stored


async def scale(lab: Lab, replicas: int) -> None:
    def change(spec: PoolSpec) -> None:
        spec.replicas = replicas

    await change_pool(lab, change)


def uids(lab: Lab) -> dict[str, str]:
    """Of the VMIs."""
    return {vmi.metadata.name: vmi.metadata.uid for vmi in lab.objects.list(VMIS).items}


async def rename_host(lab: Lab, name: str = "new") -> None:
    """A change of the template that needs a restart."""

    def change(spec: PoolSpec) -> None:
        spec.virtual_machine_template.spec.template.spec.hostname = name

    await change_pool(lab, change)


async def test_numbered_machines(lab: Lab) -> None:
    made = await create(lab)
    assert names(lab) == ["web-0", "web-1", "web-2"]
    assert len(lab.host.alive) == 3
    for machine in vms(lab):
        ref = controller_of(machine)
        assert ref is not None and (ref.kind, ref.uid) == (POOLS.kind, made.metadata.uid)
        assert machine.metadata.labels == {"app": "web", stamp.REVISION: stamp.revision_of(made)}
    status = found(lab).status
    assert (status.replicas, status.ready_replicas, status.label_selector) == (3, 3, "app=web")
    assert lab.reasons(POOLS.kind).count("SuccessfulCreate") == 3


async def test_each_has_an_identity_of_its_own(lab: Lab) -> None:
    await create(lab)
    serials = {
        machine.spec.template.spec.domain.firmware.uuid
        for machine in vms(lab)
        if machine.spec.template.spec.domain.firmware
    }
    assert len(serials) == 3


async def test_names_that_are_taken_are_left_out(lab: Lab) -> None:
    await lab.create("Halted", "web-1")
    await create(lab)
    assert names(lab) == ["web-0", "web-1", "web-2", "web-3"]
    assert controller_of(lab.vm("web-1")) is None


async def test_up_and_down_and_up_again(lab: Lab) -> None:
    await create(lab)
    await scale(lab, 1)
    [left] = names(lab)
    assert len(lab.host.alive) == 1
    assert lab.reasons(POOLS.kind).count("SuccessfulDelete") == 2
    await scale(lab, 3)
    assert names(lab) == ["web-0", "web-1", "web-2"] and left in names(lab)
    await scale(lab, 0)
    assert names(lab) == [] and not lab.host.alive


async def test_a_machine_that_is_deleted_comes_back_under_its_name(lab: Lab) -> None:
    await create(lab)
    before = lab.vm("web-1").metadata.uid
    lab.host.deaf = True
    await lab.objects.delete(VMS, "default", "web-1")
    await lab.settle()
    assert names(lab) == ["web-0", "web-1", "web-2"]
    assert lab.vm("web-1").metadata.uid == before, "it has not ended yet"
    machine = lab.host.alive[lab.vmi("web-1").metadata.uid]
    machine.power_off()
    await lab.settle()
    assert lab.vm("web-1").metadata.uid != before


@pytest.mark.parametrize(("order", "left"), [("DescendingOrder", "web-0"), ("AscendingOrder", "web-2")])
async def test_which_go_first(lab: Lab, order: str, left: str) -> None:
    made = pool()
    made.spec.scale_in_strategy = ScaleInStrategy(
        proactive=ProactiveScaleIn(selection_policy=SelectionPolicy(sort_policy=order))
    )
    await create(lab, made)
    await scale(lab, 1)
    assert names(lab) == [left]


@pytest.mark.parametrize(
    "strategy", [ScaleInStrategy(unmanaged=Unmanaged()), ScaleInStrategy(opportunistic=OpportunisticScaleIn())]
)
async def test_scale_in_by_others(lab: Lab, strategy: ScaleInStrategy) -> None:
    made = pool()
    made.spec.scale_in_strategy = strategy
    await create(lab, made)
    await scale(lab, 2)
    assert len(names(lab)) == 3
    await lab.objects.delete(VMS, "default", "web-0")
    await lab.settle()
    assert names(lab) == ["web-1", "web-2"], "nobody replaces it"


async def test_a_new_template_restarts_every_machine(lab: Lab) -> None:
    await create(lab)
    before = uids(lab)
    serial = lab.vm("web-0").spec.template.spec.domain.firmware
    await rename_host(lab)
    after = uids(lab)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert {vmi.spec.hostname for vmi in lab.objects.list(VMIS).items} == {"new"}
    assert lab.vm("web-0").spec.template.spec.domain.firmware == serial
    assert lab.reasons(POOLS.kind).count("SuccessfulUpdate") == 6
    revision = stamp.revision_of(found(lab))
    assert {vmi.metadata.labels[stamp.REVISION] for vmi in lab.objects.list(VMIS).items} == {revision}


async def test_a_restart_does_not_need_a_run_strategy_that_restarts(lab: Lab) -> None:
    await create(lab, pool(1, "Manual"))
    await lab.manager.operations.start("default", "web-0")
    await lab.settle()
    before = uids(lab)
    await rename_host(lab)
    assert uids(lab).keys() == before.keys() and uids(lab) != before


async def test_only_so_many_are_down_at_a_time(lab: Lab) -> None:
    made = pool()
    made.spec.max_unavailable = 1
    await create(lab, made)
    before = uids(lab)
    lab.host.deaf = True
    await rename_host(lab)
    going = [vmi for vmi in lab.objects.list(VMIS).items if vmi.metadata.deletion_timestamp is not None]
    assert len(going) == 1
    assert all(machine.spec.template.spec.hostname == "new" for machine in vms(lab))
    lab.host.deaf = False
    for machine in list(lab.host.alive.values()):
        if machine.uid == going[0].metadata.uid:
            machine.power_off()
    await lab.settle()
    assert not set(before.values()) & set(uids(lab).values()), "one after the other"


async def test_an_update_that_waits_for_the_next_start(lab: Lab) -> None:
    made = pool()
    made.spec.update_strategy = UpdateStrategy(opportunistic=OpportunisticUpdate())
    await create(lab, made)
    before = uids(lab)
    await rename_host(lab)
    assert uids(lab) == before
    assert all(machine.spec.template.spec.hostname == "new" for machine in vms(lab))
    await lab.manager.operations.restart("default", "web-0")
    await lab.settle()
    assert lab.vmi("web-0").spec.hostname == "new"


async def test_unmanaged_machines_keep_their_template(lab: Lab) -> None:
    made = pool(2)
    made.spec.update_strategy = UpdateStrategy(unmanaged=Unmanaged())
    await create(lab, made)
    await rename_host(lab)
    assert all(machine.spec.template.spec.hostname == "" for machine in vms(lab))
    await scale(lab, 3)
    assert lab.vm("web-2").spec.template.spec.hostname == "new", "new ones are of the new template"


async def test_scaling_is_no_update(lab: Lab) -> None:
    await create(lab, pool(2))
    before = uids(lab)
    await scale(lab, 3)
    assert before.items() <= uids(lab).items()
    assert "SuccessfulUpdate" not in lab.reasons(POOLS.kind)


async def test_what_does_not_touch_the_machine_restarts_nothing(lab: Lab) -> None:
    await create(lab)
    before = uids(lab)

    def change(spec: PoolSpec) -> None:
        spec.virtual_machine_template.metadata.annotations["note"] = "new"

    await change_pool(lab, change)
    assert uids(lab) == before
    revision = stamp.revision_of(found(lab))
    assert {vmi.metadata.labels[stamp.REVISION] for vmi in lab.objects.list(VMIS).items} == {revision}
    assert lab.vm("web-0").metadata.annotations["note"] == "new"


async def test_a_machine_whose_labels_match_no_more_is_let_go(lab: Lab) -> None:
    await create(lab, pool(1))

    def relabel(machine: VirtualMachine) -> bool:
        machine.metadata.labels["app"] = "mine"
        return True

    await lab.objects.modify(VMS, "default", "web-0", relabel)
    await lab.settle()
    assert controller_of(lab.vm("web-0")) is None
    assert names(lab) == ["web-0", "web-1"]


async def test_paused(lab: Lab) -> None:
    await create(lab, pool(1))

    def pause(spec: PoolSpec) -> None:
        spec.paused, spec.replicas = True, 3

    await change_pool(lab, pause)
    assert names(lab) == ["web-0"]
    condition = find_condition(found(lab).status.conditions, "ReplicaPaused")
    assert condition is not None and condition.reason == "SuccessfulPaused"

    def resume(spec: PoolSpec) -> None:
        spec.paused = False

    await change_pool(lab, resume)
    assert len(names(lab)) == 3
    assert found(lab).status.conditions == []


async def test_machines_that_fail_to_start_are_replaced(lab: Lab) -> None:
    made = pool(1)
    made.spec.autohealing = Autohealing(start_up_failure_threshold=2)
    lab.host.launch_error = refused()
    await create(lab, made)
    first = lab.vm("web-0")
    assert first.status.printable_status == "CrashLoopBackOff"
    await lab.pass_(11)
    assert lab.vm("web-0").metadata.uid != first.metadata.uid, "the second failure was enough"


async def test_machines_that_wait_too_long_are_replaced(lab: Lab) -> None:
    made = pool(1)
    made.spec.autohealing = Autohealing(min_failing_to_start_duration="2m")
    lab.host.prepare_error = HostError("no such image", reason="ErrImagePull")
    await create(lab, made)
    first = lab.vm("web-0").metadata.uid
    await lab.pass_(60)
    lab.manager._pools.wake_all()
    await lab.settle()
    assert lab.vm("web-0").metadata.uid == first
    await lab.pass_(61)
    lab.manager._pools.wake_all()
    await lab.settle()
    assert lab.vm("web-0").metadata.uid != first


async def test_without_autohealing_nothing_is_replaced(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await create(lab, pool(1))
    first = lab.vm("web-0").metadata.uid
    for _ in range(5):
        await lab.pass_(300)
    assert lab.vm("web-0").metadata.uid == first


async def test_what_cannot_be_made_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab.objects.create

    async def full(res: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        if res.key == VMS.key:
            raise HostError("the disk is full", reason="StorageFull")
        return await real(res, obj, dry_run=dry_run)

    monkeypatch.setattr(lab.objects, "create", full)
    await create(lab, pool(1))
    condition = find_condition(found(lab).status.conditions, "ReplicaFailure")
    assert condition is not None
    assert (condition.reason, condition.message) == ("FailedScaleOut", "error during scale out: the disk is full")
    monkeypatch.setattr(lab.objects, "create", real)
    lab.manager._pools.wake_all()
    await lab.settle()
    assert names(lab) == ["web-0"] and found(lab).status.conditions == []


async def test_deleting_a_pool_takes_its_machines_or_leaves_them(lab: Lab) -> None:
    await create(lab, pool(2))
    await lab.objects.delete(POOLS, "default", "web", propagation="Orphan")
    await lab.settle()
    assert names(lab) == ["web-0", "web-1"] and len(lab.host.alive) == 2
    await create(lab, pool(1))
    assert names(lab) == ["web-0", "web-1", "web-2"], "VMs that are nobody's are not adopted"
    await lab.objects.delete(POOLS, "default", "web")
    await lab.settle()
    assert names(lab) == ["web-0", "web-1"]


def with_disk(size: str = "1Mi") -> VirtualMachinePool:
    made = pool(2)
    spec = made.spec.virtual_machine_template.spec
    source = DataVolumeImport(blank=BlankSource())
    storage = StorageSpec(resources=StorageResources(requests={"storage": size}))
    spec.data_volume_templates = [
        DataVolumeTemplate(metadata=ObjectMeta(name="disk"), spec=DataVolumeSpec(source=source, storage=storage))
    ]
    inner = spec.template.spec
    inner.volumes = [Volume(name="disk", data_volume=DataVolumeSource(name="disk"))]
    inner.domain.devices.disks = [Disk(name="disk", disk=DiskTarget(bus="virtio"))]
    return made


def disks(lab: Lab) -> dict[str, str]:
    return {dv.metadata.name: dv.metadata.uid for dv in lab.objects.list(registry.DATA_VOLUMES).items}


async def test_each_machine_has_its_own_disk(lab: Lab) -> None:
    await create(lab, with_disk())
    assert disks(lab).keys() == {"disk-0", "disk-1"}
    assert lab.vmi("web-1").spec.volumes[0].data_volume == DataVolumeSource(name="disk-1")
    await scale(lab, 0)
    assert disks(lab) == {}


async def test_disks_that_outlive_a_scale_in_by_the_pool(lab: Lab) -> None:
    made = with_disk()
    made.spec.scale_in_strategy = ScaleInStrategy(proactive=ProactiveScaleIn(state_preservation="Offline"))
    await create(lab, made)
    before = disks(lab)
    await scale(lab, 0)
    assert names(lab) == [] and disks(lab) == before
    await scale(lab, 2)
    assert disks(lab) == before and len(lab.host.alive) == 2


async def test_disks_that_outlive_a_deletion_by_somebody(lab: Lab) -> None:
    made = with_disk()
    made.spec.scale_in_strategy = ScaleInStrategy(opportunistic=OpportunisticScaleIn(state_preservation="Offline"))
    await create(lab, made)
    assert stamp.FINALIZER in lab.vm("web-0").metadata.finalizers
    before = disks(lab)
    await scale(lab, 1)
    await lab.objects.delete(VMS, "default", "web-0")
    await lab.settle()
    assert names(lab) == ["web-1"] and disks(lab) == before


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
async def test_no_machine_waits_for_a_pool_that_is_gone(lab: Lab, propagation: str) -> None:
    made = with_disk()
    made.spec.scale_in_strategy = ScaleInStrategy(opportunistic=OpportunisticScaleIn(state_preservation="Offline"))
    await create(lab, made)
    await lab.objects.delete(POOLS, "default", "web", propagation=propagation)
    await lab.settle()
    if propagation == "Orphan":
        assert all(stamp.FINALIZER not in machine.metadata.finalizers for machine in vms(lab))
        assert len(disks(lab)) == 2
    else:
        assert names(lab) == [] and disks(lab) == {}
        assert not lab.objects.list(POOLS).items


async def test_other_disks_mean_other_machines(lab: Lab) -> None:
    await create(lab, with_disk())
    before = {machine.metadata.uid for machine in vms(lab)}
    old = disks(lab)

    def change(spec: PoolSpec) -> None:
        storage = spec.virtual_machine_template.spec.data_volume_templates[0].spec.storage
        assert storage is not None
        storage.resources.requests["storage"] = "2Mi"

    await change_pool(lab, change)
    assert names(lab) == ["web-0", "web-1"]
    assert not before & {machine.metadata.uid for machine in vms(lab)}
    assert disks(lab).keys() == old.keys() and not set(disks(lab).values()) & set(old.values())


async def test_a_new_daemon_goes_on(lab: Lab) -> None:
    await create(lab, pool(2))
    before = uids(lab)
    await lab.manager.stop()

    def change(stored: VirtualMachinePool) -> bool:
        stored.spec.replicas = 3
        stored.spec.virtual_machine_template.spec.template.spec.hostname = "new"
        return True

    await lab.objects.modify(POOLS, "default", "web", change)
    lab.manager = lab._manager()
    await lab.start()
    assert names(lab) == ["web-0", "web-1", "web-2"]
    assert not set(before.values()) & set(uids(lab).values())
    assert len(lab.host.alive) == 3


async def test_a_stranger_of_the_same_name_is_left_alone(lab: Lab) -> None:
    await lab.objects.create(VMS, vm("Always", "web-0"))
    await create(lab, pool(1))
    await scale(lab, 0)
    assert names(lab) == ["web-0"]


async def test_more_than_a_host_can_have(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "MOST", 3)
    await create(lab, pool(2**31 - 1))
    assert len(uids(lab)) == 3
    failure = find_condition(found(lab).status.conditions, "ReplicaFailure")
    assert failure is not None and failure.reason == "FailedScaleOut"
    await scale(lab, 1)
    assert len(uids(lab)) == 1
