from __future__ import annotations

import asyncio

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResources
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, Volume
from solovirt.api.meta import ObjectMeta, OwnerReference, find_condition
from solovirt.controllers.storage.claims import is_filled_by_another
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi

CLAIMS = registry.PERSISTENT_VOLUME_CLAIMS
MEBI = 1 << 20


def claim(name: str = "disk", size: str = "4Mi") -> PersistentVolumeClaim:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"], resources=VolumeResources(requests={"storage": size})
        ),
    )


async def use(lab: Lab) -> None:
    vmi = lone_vmi()
    vmi.spec.volumes = [Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="disk"))]
    vmi.spec.domain.devices.disks = [Disk(name="a", disk=DiskTarget(bus="virtio"))]
    await lab.objects.create(VMIS, vmi)
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Running"


async def test_a_claim_gets_a_disk(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    found = lab.claim("disk")
    assert lab.host.disks == {("default", "disk"): 4 * MEBI}
    assert (found.status.phase, found.status.capacity) == ("Bound", {"storage": "4Mi"})
    assert found.status.access_modes == ["ReadWriteOnce"]
    assert found.spec.volume_name == f"pvc-{found.metadata.uid}"
    assert found.metadata.finalizers == ["kubernetes.io/pvc-protection"]


async def test_a_claim_in_use_stays_until_its_vmi_has_ended(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    await use(lab)
    await lab.objects.delete(CLAIMS, "default", "disk")
    await lab.settle()
    assert lab.host.disks
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.objects.find(CLAIMS, "default", "disk") is None
    assert lab.host.disks == {}


async def test_growing_waits_for_the_vm(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    await use(lab)

    def grow(found: PersistentVolumeClaim) -> bool:
        found.spec.resources.requests["storage"] = "8Mi"
        return True

    await lab.objects.modify(CLAIMS, "default", "disk", grow)
    await lab.settle()
    assert find_condition(lab.claim("disk").status.conditions, "Resizing") is not None
    assert lab.claim("disk").status.capacity == {"storage": "4Mi"}
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    assert find_condition(lab.claim("disk").status.conditions, "Resizing") is None
    assert lab.claim("disk").status.capacity == {"storage": "8Mi"}


async def test_a_disk_that_vanished_is_not_made_anew(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    lab.host.disks.clear()
    await lab.restart()
    assert lab.claim("disk").status.phase == "Lost"
    assert lab.host.disks == {}
    assert lab.reasons("PersistentVolumeClaim")[-1] == "ClaimLost"


async def test_trouble_is_told(lab: Lab) -> None:
    async def fail(namespace: str, name: str, size: int) -> None:
        await asyncio.sleep(0)
        raise lab_error

    from tests.unit.controllers.lab import refused

    lab_error = refused("no space")
    files = lab.manager._site.claims
    files.create = fail  # type: ignore[method-assign,assignment]
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    assert lab.claim("disk").status.phase == "Pending"
    assert "ProvisioningFailed" in lab.reasons()


def test_who_fills_it() -> None:
    made = claim()
    assert not is_filled_by_another(made)
    made.metadata.owner_references = [
        OwnerReference(api_version="cdi.kubevirt.io/v1beta1", kind="DataVolume", name="d", uid="1", controller=True)
    ]
    assert is_filled_by_another(made)
