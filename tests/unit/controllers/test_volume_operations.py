from __future__ import annotations

import asyncio

import pytest

from solovirt.api.kubevirt.spec.disks import CDRomTarget, Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.volume_requests import (
    AddVolumeOptions,
    HotplugVolumeSource,
    MediumOptions,
    RemoveVolumeOptions,
)
from solovirt.controllers.volume_operations import VolumeOperations
from solovirt.kit.errors import BadRequest, Conflict, Invalid, NotFound
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, vm

SCSI = Disk(name="", disk=DiskTarget(bus="scsi"))


def adding(name: str, claim: str = "") -> AddVolumeOptions:
    source = HotplugVolumeSource(persistent_volume_claim=ClaimSource(claim_name=claim or name))
    return AddVolumeOptions(name=name, disk=SCSI, volume_source=source)


@pytest.fixture
def operations(lab: Lab) -> VolumeOperations:
    return lab.manager.operations.volumes


def names(found: VirtualMachine) -> list[str]:
    return [volume.name for volume in found.spec.template.spec.volumes]


async def test_a_vm_is_edited_and_its_vmi_follows(lab: Lab, operations: VolumeOperations) -> None:
    await lab.create()
    await operations.add("default", "vm", adding("d"))
    await lab.settle()
    assert names(lab.vm()) == ["d"]
    assert [volume.name for volume in lab.vmi().spec.volumes] == ["d"]
    await operations.remove("default", "vm", RemoveVolumeOptions(name="d"))
    await lab.settle()
    assert lab.vm().spec.template.spec.volumes == lab.vmi().spec.volumes == []


async def test_refusals(lab: Lab, operations: VolumeOperations) -> None:
    with pytest.raises(NotFound, match=r'virtualmachine.kubevirt.io "vm" not found'):
        await operations.add("default", "vm", adding("d"))
    await lab.create()
    await operations.add("default", "vm", adding("d"))
    where = r'Operation cannot be fulfilled on virtualmachine.kubevirt.io "vm": '
    with pytest.raises(Conflict, match=where + r"Unable to add volume \[d\] because volume with that name already"):
        await operations.add("default", "vm", adding("d"))
    with pytest.raises(Conflict, match=where + r"Unable to remove volume \[x\] because it does not exist"):
        await operations.remove("default", "vm", RemoveVolumeOptions(name="x"))
    with pytest.raises(BadRequest, match="RemoveVolumeOptions requires name to be set"):
        await operations.remove("default", "vm", RemoveVolumeOptions())
    with pytest.raises(Invalid):
        await operations.add("default", "vm", adding("Not A Label", "c"))


async def test_several_at_once(lab: Lab, operations: VolumeOperations) -> None:
    await lab.create()
    work = [operations.add("default", "vm", adding("d")) for _ in range(5)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 4 + ["NoneType"]
    assert names(lab.vm()) == ["d"]


async def test_a_dry_run_checks_and_changes_nothing(lab: Lab, operations: VolumeOperations) -> None:
    await lab.create()
    await operations.add("default", "vm", adding("d"), dry_run=True)
    assert names(lab.vm()) == []
    with pytest.raises(Invalid):
        await operations.add("default", "vm", adding("Not A Label", "c"), dry_run=True)
    with pytest.raises(Conflict):
        await operations.remove("default", "vm", RemoveVolumeOptions(name="d"), dry_run=True)


async def test_lone_vmis(lab: Lab, operations: VolumeOperations) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    with pytest.raises(Conflict, match="VMI is not running"):
        await operations.add("default", "lone", adding("d"), vmi=True)
    await lab.settle()
    await operations.add("default", "lone", adding("d"), vmi=True, dry_run=True)
    await operations.add("default", "lone", adding("d"), vmi=True)
    assert [volume.name for volume in lab.vmi("lone").spec.volumes] == ["d"]
    await lab.create()
    with pytest.raises(BadRequest, match="VMI default/vm is owned by a VM"):
        await operations.add("default", "vm", adding("d"), vmi=True)


async def test_media(lab: Lab, operations: VolumeOperations) -> None:
    made = vm()
    made.spec.template.spec.domain.devices.disks = [Disk(name="cd", cdrom=CDRomTarget(bus="sata"))]
    await lab.objects.create(VMS, made)
    await lab.settle()
    disc = HotplugVolumeSource(persistent_volume_claim=ClaimSource(claim_name="iso"))
    await operations.change_medium("default", "vm", MediumOptions(disk="cd", volume_source=disc))
    await lab.settle()
    assert [volume.name for volume in lab.vmi().spec.volumes] == ["cd"]
    await operations.change_medium("default", "vm", MediumOptions(disk="cd"))
    await lab.settle()
    assert lab.vmi().spec.volumes == []
    with pytest.raises(BadRequest, match="disk"):
        await operations.change_medium("default", "vm", MediumOptions())
    with pytest.raises(BadRequest, match="exactly one source"):
        empty = HotplugVolumeSource()
        await operations.change_medium("default", "vm", MediumOptions(disk="cd", volume_source=empty))


@pytest.mark.parametrize("claim", ["../other/claim", "other/claim", "..", "/etc/passwd", "Claim", "a" * 254])
async def test_claims_that_would_be_somewhere_else(lab: Lab, operations: VolumeOperations, claim: str) -> None:
    await lab.create()
    before = lab.vm().spec.template.spec
    with pytest.raises(Invalid):
        await operations.add("default", "vm", adding("d", claim))
    assert lab.vm().spec.template.spec == before


async def test_a_claim_of_another_namespace_is_not_found(lab: Lab, operations: VolumeOperations) -> None:
    await lab.create()
    await lab.settle()
    asked: list[tuple[str, str]] = []
    find = lab.objects.find
    lab.objects.find = lambda kind, namespace, name: asked.append((namespace, name)) or find(kind, namespace, name)  # type: ignore[method-assign, func-returns-value, assignment, return-value]
    await operations.add("default", "vm", adding("d", "theirs"))
    await lab.settle()
    assert {namespace for namespace, name in asked if name == "theirs"} == {"default"}
