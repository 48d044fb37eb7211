"""The PersistentVolumeClaim controller: a file for each claim, kept as long as somebody uses it.

Source: kubernetes pkg/controller/volume/{persistentvolume,pvcprotection}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import Condition, remove_condition, set_condition
from solovirt.controllers.site import Key, Site
from solovirt.controllers.storage.growth import Growth
from solovirt.controllers.vmi.dumps import DumpRecords
from solovirt.controllers.vmi.lookup import claims_of
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.host.volumes.claims import requested_size
from solovirt.kit import quantity
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import NotFound, SolovirtError

CLAIMS = registry.PERSISTENT_VOLUME_CLAIMS
PROTECTION = "kubernetes.io/pvc-protection"
BOUND, PENDING, LOST = "Bound", "Pending", "Lost"
LOOK_AGAIN = 5.0
"""Seconds until a claim that waits for a machine is looked at again."""


class Claims:
    """``stop_filling(key)`` ends the import into a claim, if one is under way; ``growth`` grows what machines have."""

    def __init__(self, site: Site, stop_filling: Callable[[Key], Awaitable[None]], growth: Growth) -> None:
        self._site = site
        self._stop_filling = stop_filling
        self._growth = growth
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="pvc")

    async def reconcile(self, key: Key) -> None:
        claim = self._site.objects.find(CLAIMS, *key)
        if claim is None:
            return
        if claim.metadata.deletion_timestamp is not None:
            await self._delete(claim)
            return
        if PROTECTION not in claim.metadata.finalizers:
            claim = await self._site.objects.modify(CLAIMS, *key, _protect)
        try:
            await self._bind(claim)
        except SolovirtError as error:
            self._site.events.warning(claim, "ProvisioningFailed", str(error))
            if not claim.status.phase:
                await self._write(key, _pending)
            self.queue.retry(key)

    def users(self, key: Key) -> list[str]:
        """VMIs that have the claim's disk, or are about to; also one whose guest has not let it go yet."""
        vmis = self._site.objects.list(registry.VIRTUAL_MACHINE_INSTANCES, key[0]).items
        return [
            vmi.metadata.name
            for vmi in vmis
            if key[1] in claims_of(vmi) | _shown_in(vmi) and vmi.status.phase not in ("Succeeded", "Failed")
        ]

    async def _bind(self, claim: PersistentVolumeClaim) -> None:
        key = (claim.metadata.namespace, claim.metadata.name)
        disk = await asyncio.to_thread(self._site.claims.find, *key)
        if disk is None:
            if claim.status.phase in (BOUND, LOST):
                await self._lose(claim)
                return
            if is_filled_by_another(claim):
                await self._write(key, _pending)
                return
            disk = await self._site.claims.create(*key, requested_size(claim))
        disk, waits = await self._grow(claim, disk)
        if disk.size is not None:
            await self._growth.tell(key, disk.size)
        await self._name_volume(claim)
        if claim.status.phase != BOUND:
            self._site.events.normal(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {disk.path}")
        await self._write(key, lambda found: _bound(found, disk, waits, self._site.now()))

    async def _grow(self, claim: PersistentVolumeClaim, disk: DiskImage) -> tuple[DiskImage, str]:
        """A claim that asks for more gets it, from the machine that has its disk if there is one; why it has to wait,
        else "". Events: kubernetes-csi external-resizer."""
        key = (claim.metadata.namespace, claim.metadata.name)
        wanted = qemu_img.whole_sectors(requested_size(claim))
        if disk.size is not None and disk.size >= wanted:
            return disk, ""
        try:
            if not (users := self.users(key)):
                disk = await self._site.claims.expand(*key, wanted)
            elif await self._growth.grow(key, users, wanted):
                disk = msgspec.structs.replace(disk, size=wanted)
            else:
                self.queue.add_after(key, LOOK_AGAIN)
                return disk, f"the disk grows when it can: now it is with {', '.join(users)}"
        except SolovirtError as error:
            self._site.events.warning(claim, "VolumeResizeFailed", str(error))
            self.queue.add_after(key, LOOK_AGAIN)
            return disk, f"the disk did not grow: {error}"
        self._site.events.normal(claim, "VolumeResizeSuccessful", "Resize volume succeeded")
        return disk, ""

    async def _lose(self, claim: PersistentVolumeClaim) -> None:
        key = (claim.metadata.namespace, claim.metadata.name)
        if claim.status.phase != LOST:
            text = f"the claim's disk {self._site.claims.disk(*key)} is gone; its data is lost"
            self._site.events.warning(claim, "ClaimLost", text)

        def change(found: PersistentVolumeClaim) -> None:
            found.status.phase = LOST

        await self._write(key, change)

    async def _name_volume(self, claim: PersistentVolumeClaim) -> None:
        def change(found: PersistentVolumeClaim) -> bool:
            if found.metadata.uid != claim.metadata.uid or found.spec.volume_name:
                return False
            found.spec.volume_name = f"pvc-{found.metadata.uid}"
            return True

        if not claim.spec.volume_name:
            await self._site.objects.modify(CLAIMS, claim.metadata.namespace, claim.metadata.name, change)

    async def _delete(self, claim: PersistentVolumeClaim) -> None:
        key = (claim.metadata.namespace, claim.metadata.name)
        if self.users(key) or DumpRecords(self._site.objects.records).uses(key):
            self.queue.add_after(key, LOOK_AGAIN)
            return
        if PROTECTION not in claim.metadata.finalizers:
            return
        await self._stop_filling(key)
        await self._site.claims.delete(*key)

        def release(found: PersistentVolumeClaim) -> bool:
            if found.metadata.uid != claim.metadata.uid or PROTECTION not in found.metadata.finalizers:
                return False
            found.metadata.finalizers.remove(PROTECTION)
            return True

        try:
            await self._site.objects.modify(CLAIMS, *key, release)
        except NotFound:
            pass

    async def _write(self, key: Key, change: Callable[[PersistentVolumeClaim], None]) -> None:
        def apply(found: PersistentVolumeClaim) -> bool:
            change(found)
            return True

        try:
            await self._site.objects.modify(CLAIMS, *key, apply, status=True)
        except NotFound:
            pass


def is_filled_by_another(claim: PersistentVolumeClaim) -> bool:
    """Whether a DataVolume makes the claim's disk."""
    return any(ref.controller and ref.kind == registry.DATA_VOLUMES.kind for ref in claim.metadata.owner_references)


def _protect(claim: PersistentVolumeClaim) -> bool:
    if PROTECTION in claim.metadata.finalizers or claim.metadata.deletion_timestamp is not None:
        return False
    claim.metadata.finalizers.append(PROTECTION)
    return True


def _pending(claim: PersistentVolumeClaim) -> None:
    claim.status.phase = PENDING


def _shown_in(vmi: VirtualMachineInstance) -> set[str]:
    infos = (found.persistent_volume_claim_info for found in vmi.status.volume_status)
    return {info.claim_name for info in infos if info is not None}


def _bound(claim: PersistentVolumeClaim, disk: DiskImage, waits: str, now: str) -> None:
    status = claim.status
    status.phase = BOUND
    status.access_modes = list(claim.spec.access_modes)
    if disk.size is not None:
        status.capacity = {"storage": quantity.format_bytes(disk.size)}
    if waits:
        set_condition(status.conditions, Condition(type="Resizing", status="True", message=waits), now)
    else:
        remove_condition(status.conditions, "Resizing")
