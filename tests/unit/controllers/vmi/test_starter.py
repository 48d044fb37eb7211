from __future__ import annotations

import asyncio

import pytest

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    VolumeResources,
)
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, Volume
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.kit.errors import HostError
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi


async def test_trouble_is_told_and_tried_again_later(lab: Lab) -> None:
    lab.host.prepare_error = HostError("disk full", reason="StorageFull")
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    found = find_condition(lab.vmi("lone").status.conditions, "Synchronized")
    assert found is not None
    assert (found.reason, found.message) == ("StorageFull", "disk full")
    trouble = lab.manager._vmis.starter._troubles[lab.vmi("lone").metadata.uid]
    first = trouble.until
    await lab.pass_(0)
    assert trouble.count == 1, "not before its time"
    trouble.until = 0
    await lab.pass_(0)
    again = lab.manager._vmis.starter._troubles[lab.vmi("lone").metadata.uid]
    assert again.count == 2
    assert again.until > first
    lab.host.prepare_error = None
    again.until = 0
    await lab.pass_(0)
    assert lab.vmi("lone").status.phase == "Running"
    assert lab.manager._vmis.starter._troubles == {}


@pytest.mark.parametrize(("reason", "phase"), [("ErrImagePull", "Running"), ("StorageFull", "Scheduling")])
async def test_who_waits_for_an_image_looks_when_one_was_imported(lab: Lab, reason: str, phase: str) -> None:
    lab.host.prepare_error = HostError("not now", reason=reason)
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    lab.host.prepare_error = None
    lab.manager.images._imported()
    await lab.settle()
    assert lab.vmi("lone").status.phase == phase


async def test_what_changes_while_it_is_prepared_is_prepared_too(lab: Lab) -> None:
    """A disk comes while an image is being pulled: nothing is started with what was prepared without it."""
    spec = PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], resources=VolumeResources(requests={"storage": "1Mi"})
    )
    claim = PersistentVolumeClaim(metadata=ObjectMeta(name="c", namespace="default"), spec=spec)
    await lab.objects.create(registry.PERSISTENT_VOLUME_CLAIMS, claim)
    lab.host.prepare_gate = asyncio.Event()
    await lab.create()
    assert lab.vmi().status.phase == "Scheduling"

    def plug(found: VirtualMachine) -> bool:
        inside = found.spec.template.spec
        inside.volumes.append(Volume(name="d", persistent_volume_claim=ClaimSource(claim_name="c", hotpluggable=True)))
        inside.domain.devices.disks.append(Disk(name="d", disk=DiskTarget(bus="scsi")))
        return True

    await lab.objects.modify(VMS, "default", "vm", plug)
    await lab.settle()
    assert [disk.name for disk in lab.vmi().spec.domain.devices.disks] == ["d"], "the VMI has heard of it"
    lab.host.prepare_gate.set()
    await lab.settle()
    assert (lab.vmi().status.phase, len(lab.host.launched)) == ("Running", 1)
    record = lab.manager._vmis.records.launch(lab.vmi().metadata.uid)
    assert record is not None and any('"ua-d"' in word for word in record.argv)
    assert "SyncFailed" not in lab.reasons()
