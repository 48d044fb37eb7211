"""A VM keeps what it was made with."""

from __future__ import annotations

from solovirt.api import registry
from solovirt.api.instancetype.matchers import Matcher
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import find_condition
from solovirt.controllers.vm import revisions
from tests.unit.api.instancetype.samples import make
from tests.unit.controllers.lab import VMS, Lab, vm

TYPES, REVISIONS = registry.CLUSTER_INSTANCETYPES, registry.CONTROLLER_REVISIONS


def sized(strategy: str = "Always", name: str = "small") -> VirtualMachine:
    made = vm(strategy)
    made.spec.template.spec.domain.memory = None
    made.spec.instancetype = Matcher(name=name)
    return made


async def small(lab: Lab, vcpus: int = 2) -> None:
    spec = {"cpu": {"guest": vcpus}, "memory": {"guest": "64Mi"}, "nodeSelector": {}}
    await lab.objects.create(TYPES, make(TYPES, "small", spec))  # type: ignore[arg-type]


async def test_a_snapshot_is_kept_and_goes_with_the_vm(lab: Lab) -> None:
    await small(lab)
    await lab.objects.create(VMS, sized())
    await lab.settle()
    ref = lab.vm().status.instancetype_ref
    assert ref is not None
    kept = lab.objects.get(REVISIONS, "default", ref.revision)
    assert kept.metadata.owner_references[0].uid == lab.vm().metadata.uid
    cpu, memory = lab.vmi().spec.domain.cpu, lab.vmi().spec.domain.memory
    assert cpu is not None
    assert memory is not None
    assert (cpu.sockets, memory.guest) == (2, "64Mi")
    assert lab.vmi().metadata.annotations["kubevirt.io/cluster-instancetype-name"] == "small"
    await lab.objects.delete(VMS, "default", "vm")
    await lab.settle()
    assert lab.objects.list(REVISIONS).items == []


async def test_edits_and_deletion_of_the_instancetype_change_nothing(lab: Lab) -> None:
    await small(lab)
    await lab.objects.create(VMS, sized())
    await lab.settle()
    edited = lab.objects.get(TYPES, "", "small")
    edited.spec.cpu.guest = 8
    await lab.objects.update(TYPES, edited)
    await lab.pass_(1)
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is None
    await lab.objects.delete(TYPES, "", "small")
    before = lab.vmi().metadata.uid
    await lab.manager.operations.restart("default", "vm")
    await lab.pass_(1)
    await lab.pass_(1)
    assert lab.vmi().metadata.uid != before
    cpu = lab.vmi().spec.domain.cpu
    assert cpu is not None
    assert cpu.sockets == 2


async def test_a_missing_instancetype_is_told_and_waited_for(lab: Lab) -> None:
    made = vm()
    made.spec.instancetype = Matcher(name="small")
    made.spec.template.spec.domain.memory = None
    made.spec.template.spec.domain.resources.requests = {}
    other = vm(name="vm")
    other.spec.instancetype = Matcher(name="small", revision_name="gone")
    await lab.objects.create(VMS, other)
    await lab.settle()
    failure = find_condition(lab.vm().status.conditions, "Failure")
    assert failure is not None
    assert (failure.reason, failure.message) == ("FailedFindInstancetype", 'controllerrevisions.apps "gone" not found')
    assert lab.find_vmi() is None
    assert "FailedFindInstancetype" in lab.reasons("VirtualMachine")


async def test_another_instancetype_asks_for_a_restart(lab: Lab) -> None:
    await small(lab)
    spec = {"cpu": {"guest": 3, "model": "Haswell"}, "memory": {"guest": "64Mi"}}
    await lab.objects.create(TYPES, make(TYPES, "large", spec))  # type: ignore[arg-type]
    await lab.objects.create(VMS, sized())
    await lab.settle()

    def change(found: VirtualMachine) -> bool:
        found.spec.instancetype = Matcher(name="large")
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is not None
    ref = lab.vm().status.instancetype_ref
    assert ref is not None
    assert ref.revision.startswith("vm-large-v1beta1-")


async def test_nothing_is_done_without_matchers_and_left_overs_go(lab: Lab) -> None:
    await small(lab)
    await lab.objects.create(VMS, sized("Halted"))
    await lab.settle()
    assert lab.vm().status.instancetype_ref is not None
    assert await revisions.store(lab.objects, lab.vm()) == lab.vm()

    def change(found: VirtualMachine) -> bool:
        found.spec.instancetype = None
        found.spec.template.spec.domain.memory = vm().spec.template.spec.domain.memory
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    assert lab.vm().status.instancetype_ref is None
