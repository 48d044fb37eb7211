from __future__ import annotations

from solovirt.api.cdi.datavolume import BlankSource, DataVolumeImport, DataVolumeSpec
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.instancetype import CPUInstancetype, InstancetypeSpec, MemoryInstancetype
from solovirt.api.kubevirt.defaults import default_vm, default_vmi
from solovirt.api.kubevirt.spec.compute import CPU
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate, VirtualMachine
from solovirt.api.meta import ObjectMeta
from solovirt.controllers.vm import factory
from tests.unit.controllers.lab import vm


def stored() -> VirtualMachine:
    made = vm()
    default_vm(made)
    made.metadata.uid = "vm-uid"
    return made


def test_a_vmi_belongs_to_its_vm() -> None:
    owner = stored()
    made = factory.make_vmi(owner)
    assert made.metadata.name == owner.metadata.name
    assert made.metadata.labels == {"app": "vm", "vm.kubevirt.io/name": "vm"}
    assert made.metadata.finalizers == ["kubevirt.io/foregroundDeleteVirtualMachine"]
    (ref,) = made.metadata.owner_references
    assert (ref.kind, ref.uid, ref.controller, ref.block_owner_deletion) == ("VirtualMachine", "vm-uid", True, True)
    assert factory.controls("vm-uid", made)
    assert not factory.controls("other", made)
    made.spec.hostname = "changed"
    assert owner.spec.template.spec.hostname == "", "the VM's template is not shared"


def test_a_paused_start() -> None:
    assert factory.make_vmi(stored(), paused=True).spec.start_strategy == "Paused"
    assert factory.make_vmi(stored()).spec.start_strategy == ""


def test_restart_is_required_when_the_template_changed() -> None:
    owner = stored()
    running = factory.make_vmi(owner, paused=True)
    default_vmi(running)
    assert not factory.live_update(owner, running).outdated
    owner.spec.template.spec.hostname = "new"
    assert factory.live_update(owner, running).outdated


def test_a_data_volume_belongs_to_its_vm() -> None:
    template = DataVolumeTemplate(
        metadata=ObjectMeta(name="disk", labels={"a": "b"}),
        spec=DataVolumeSpec(source=DataVolumeImport(blank=BlankSource())),
    )
    made = factory.make_data_volume(stored(), template)
    assert (made.metadata.name, made.metadata.namespace) == ("disk", "default")
    assert made.metadata.labels == {"a": "b", "kubevirt.io/created-by": "vm-uid"}
    assert factory.controls("vm-uid", made)
    assert made.spec == template.spec


def test_headroom_that_nobody_asked_for_is_no_reason_for_a_restart() -> None:
    """Machines of an earlier version had other defaults; and a resize must not move them."""
    owner = stored()
    running = factory.make_vmi(owner)
    default_vmi(running)
    assert running.spec.domain.memory is not None and running.spec.domain.cpu is not None
    running.spec.domain.memory.max_guest, running.spec.domain.cpu.max_sockets = None, 9
    assert not factory.live_update(owner, running).outdated
    owner.spec.template.spec.domain.cpu = CPU(max_sockets=3)
    assert factory.live_update(owner, running).outdated, "this one was asked for"


def test_a_vm_of_which_no_vmi_can_be_made_changes_nothing() -> None:
    owner = stored()
    running = factory.make_vmi(owner)
    default_vmi(running)
    owner.spec.template.spec.domain.cpu = CPU(sockets=2)
    types = Types(instancetype=InstancetypeSpec(cpu=CPUInstancetype(guest=2), memory=MemoryInstancetype(guest="1Gi")))
    update = factory.live_update(owner, running, types)
    assert update.outdated
    assert update.spec == running.spec
