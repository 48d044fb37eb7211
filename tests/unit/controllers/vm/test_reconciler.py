"""VMs over fakes: from what a user wants to the VMI that there is."""

from __future__ import annotations

import pytest

from solovirt.api import registry
from solovirt.api.cdi.datavolume import BlankSource, DataVolumeImport, DataVolumeSpec, StorageResources, StorageSpec
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import DataVolumeSource, Volume
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate, VirtualMachine
from solovirt.api.meta import Condition, ObjectMeta, find_condition
from solovirt.controllers.vm import factory
from solovirt.controllers.vmi.live.concern import Report, Update
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, refused, vm


async def test_always_runs(lab: Lab) -> None:
    await lab.create("Always")
    assert lab.shown() == "Running"
    found = lab.vm()
    assert found.metadata.finalizers == ["kubevirt.io/virtualMachineControllerFinalize"]
    assert (found.status.created, found.status.ready, found.status.run_strategy) == (True, True, "Always")
    assert found.status.observed_generation == found.metadata.generation
    assert lab.reasons("VirtualMachine") == ["SuccessfulCreate"]


async def test_halted_does_not(lab: Lab) -> None:
    await lab.create("Halted")
    assert lab.shown() == "Stopped"
    assert lab.find_vmi() is None


async def test_a_guest_that_shuts_down_is_started_again(lab: Lab) -> None:
    await lab.create("Always")
    first = lab.vmi()
    lab.clock.pass_(100)
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.vmi().metadata.uid != first.metadata.uid
    assert lab.shown() == "Running"
    assert len(lab.host.alive) == 1


async def test_rerun_on_failure(lab: Lab) -> None:
    await lab.create("RerunOnFailure")
    first = lab.vmi().metadata.uid
    lab.clock.pass_(100)
    lab.host.machine.exit(-11)
    await lab.settle()
    assert lab.vmi().metadata.uid != first, "a crash: again"
    lab.clock.pass_(100)
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.find_vmi() is None, "an orderly end: no more"
    assert lab.shown() == "Stopped"
    await lab.restart()
    assert lab.find_vmi() is None


async def test_once_runs_once(lab: Lab) -> None:
    await lab.create("Once")
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.vmi().status.phase == "Succeeded"
    await lab.objects.delete(VMIS, "default", "vm")
    await lab.settle()
    assert lab.find_vmi() is None
    await lab.restart()
    assert lab.find_vmi() is None


async def test_crashes_are_backed_off(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await lab.create("Always")
    assert lab.shown() == "CrashLoopBackOff"
    failure = lab.vm().status.start_failure
    assert failure is not None
    assert failure.consecutive_fail_count == 1
    assert lab.find_vmi() is None
    await lab.pass_(9)
    assert lab.find_vmi() is None
    await lab.pass_(1)
    failure = lab.vm().status.start_failure
    assert failure is not None
    assert failure.consecutive_fail_count == 2
    lab.host.launch_error = None
    await lab.pass_(40)
    assert lab.shown() == "Running"
    await lab.pass_(61)
    assert lab.vm().status.start_failure is None


async def test_back_off_survives_a_restart(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await lab.create("Always")
    lab.host.launch_error = None
    await lab.restart()
    assert lab.shown() == "CrashLoopBackOff"
    await lab.pass_(11)
    assert lab.shown() == "Running"


async def test_a_template_that_changed_needs_a_restart(lab: Lab) -> None:
    await lab.create("Always")

    def change(found: VirtualMachine) -> bool:
        found.spec.template.spec.hostname = "new"
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    condition = find_condition(lab.vm().status.conditions, "RestartRequired")
    assert condition is not None
    assert condition.status == "True"
    await lab.manager.operations.restart("default", "vm")
    await lab.settle()
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is None
    assert lab.vmi().spec.hostname == "new"


async def test_what_a_vmi_shall_be_is_worked_out_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.create("Always")
    asked: list[int] = []

    def counted(*arguments: object) -> factory.LiveUpdate:
        asked.append(1)
        return live_update(*arguments)  # type: ignore[arg-type]

    live_update = factory.live_update
    monkeypatch.setattr(factory, "live_update", counted)
    await lab.manager._vms.reconcile(("default", "vm"))
    assert len(asked) == 1


async def test_a_vm_that_changed_meanwhile_is_judged_as_it_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.create("Always")
    vms = lab.manager._vms
    vms.queue.hold()

    async def busy(*arguments: object) -> None:
        await lab.objects.modify(VMS, "default", "vm", rename)

    def rename(found: VirtualMachine) -> bool:
        found.spec.template.spec.hostname = "new"
        return True

    monkeypatch.setattr(vms, "_act", busy)
    await vms.reconcile(("default", "vm"))
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is not None
    vms.queue.resume()


class Rigid:
    """A machine that turns out not to be able to follow."""

    name = "rigid"

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return spec

    async def apply(self, update: Update) -> Report:
        return Report(conditions=(Condition(type="DevicesChange", status="False", reason="RestartRequired"),))


async def test_what_the_machine_cannot_follow_needs_a_restart(lab: Lab) -> None:
    lab.concerns.append(Rigid())
    await lab.create("Always")
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is None
    await lab.restart()
    condition = find_condition(lab.vm().status.conditions, "RestartRequired")
    assert condition is not None and condition.status == "True"


async def test_deleting_a_vm_takes_everything(lab: Lab) -> None:
    await lab.create("Always")
    uid = lab.vm().metadata.uid
    assert lab.objects.records.get("pins", uid) is not None
    lab.host.deaf = True
    await lab.objects.delete(VMS, "default", "vm", grace_period=7)
    await lab.settle()
    assert lab.shown() == "Terminating"
    assert lab.vmi().metadata.deletion_grace_period_seconds == 7, "the VM's grace period is the VMI's"
    await lab.pass_(9)
    assert lab.objects.find(VMS, "default", "vm") is None
    assert lab.find_vmi() is None
    assert not lab.host.alive
    assert lab.objects.records.list("pins") == {}


async def test_a_foreign_vmi_of_the_same_name_is_left_alone(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi("vm"))
    await lab.settle()
    await lab.create("Always")
    failure = find_condition(lab.vm().status.conditions, "Failure")
    assert failure is not None
    assert failure.reason == "FailedCreate"
    assert "FailedCreate" in lab.reasons("VirtualMachine")
    assert lab.vmi().metadata.owner_references == []
    await lab.objects.delete(VMS, "default", "vm")
    await lab.settle()
    assert lab.vmi().metadata.deletion_timestamp is None


async def test_data_volumes_come_first(lab: Lab) -> None:
    made = vm("Always")
    source = DataVolumeSpec(
        source=DataVolumeImport(blank=BlankSource()),
        storage=StorageSpec(resources=StorageResources(requests={"storage": "1Mi"})),
    )
    made.spec.data_volume_templates = [DataVolumeTemplate(metadata=ObjectMeta(name="data"), spec=source)]
    made.spec.template.spec.volumes = [Volume(name="data", data_volume=DataVolumeSource(name="data"))]
    made.spec.template.spec.domain.devices.disks = [Disk(name="data", disk=DiskTarget(bus="virtio"))]
    lab.host.import_error = refused("no")
    await lab.objects.create(VMS, made)
    await lab.settle()
    assert lab.shown() == "DataVolumeError"
    assert lab.find_vmi() is None
    lab.host.import_error = None
    lab.manager._data_volumes._retry_at.clear()
    lab.manager._data_volumes.queue.add(("default", "data"))
    await lab.settle()
    assert lab.shown() == "Running"
    assert lab.vmi().status.volume_status[0].target == "vda"
    await lab.objects.delete(VMS, "default", "vm")
    await lab.settle()
    assert lab.objects.list(registry.DATA_VOLUMES).items == []
    assert lab.objects.list(registry.PERSISTENT_VOLUME_CLAIMS).items == []
    assert lab.host.disks == {}
