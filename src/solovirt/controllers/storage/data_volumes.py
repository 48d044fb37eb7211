"""The DataVolume controller: makes a claim of the same name and fills it.

Source: containerized-data-importer pkg/controller/datavolume. A failed import is begun again, later and later.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from solovirt.api import registry
from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResources
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, ObjectMeta, set_condition
from solovirt.controllers.jobs import Jobs
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vm.factory import owner
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes.claims import THICK
from solovirt.host.volumes.imports import unsupported
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import AlreadyExists, Invalid, NotFound, SolovirtError
from solovirt.kit.json import clone

DVS, CLAIMS = registry.DATA_VOLUMES, registry.PERSISTENT_VOLUME_CLAIMS
PENDING, SCHEDULED, IN_PROGRESS = "Pending", "ImportScheduled", "ImportInProgress"
SUCCEEDED, FAILED = "Succeeded", "Failed"
_FIRST_DELAY, _LAST_DELAY = 10.0, 300.0
_REPORT_EVERY = 1.0
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The manifest of the DataVolume itself, with the headers that it sends: nothing of a claim's."""


class DataVolumes:
    def __init__(self, site: Site) -> None:
        self._site = site
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="dv")
        self._jobs: Jobs[Key, DiskImage] = Jobs(self.queue.add)
        self._uids: dict[Key, str] = {}
        self._progress: dict[Key, str] = {}
        self._retry_at: dict[Key, float] = {}
        self._reported: dict[Key, float] = {}

    async def close(self) -> None:
        await self.queue.stop()
        await self._jobs.close()

    async def stop_filling(self, key: Key) -> None:
        """Ends the import into this claim, if one is under way."""
        await self._jobs.cancel(key)
        self._progress.pop(key, None)

    async def reconcile(self, key: Key) -> None:
        volume = self._site.objects.find(DVS, *key)
        if volume is None or volume.metadata.deletion_timestamp is not None:
            await self._forget(key)
            return
        if self._uids.setdefault(key, volume.metadata.uid) != volume.metadata.uid:
            await self._forget(key)
            self._uids[key] = volume.metadata.uid
        if volume.status.phase == SUCCEEDED:
            return
        if lacking := unsupported(volume.spec):
            await self._refuse(volume, lacking)
            return
        claim = await self._claim(volume)
        if claim is not None:
            await self._fill(volume, key)

    async def _refuse(self, volume: DataVolume, lacking: str) -> None:
        """Nothing that is tried again would help."""
        if volume.status.phase != FAILED:
            self._site.events.warning(volume, "Error", f"Unable to process data: {lacking}")
        await self._write(volume, lambda found: self._failed(found, lacking, again=False))

    async def _fill(self, volume: DataVolume, key: Key) -> None:
        job = self._jobs.get(key)
        if job is not None and not job.done():
            shown = self._progress.get(key, "N/A")
            await self._write(volume, lambda found: self._running(found, shown))
        elif job is not None:
            await self._finish(volume, key)
        elif (left := self._retry_at.get(key, 0.0) - time.monotonic()) > 0:
            self.queue.add_after(key, left)
        else:
            if volume.status.phase not in (SCHEDULED, IN_PROGRESS):
                self._site.events.normal(volume, "ImportScheduled", f"Import into {key[1]} scheduled")
            await self._write(volume, lambda found: self._phase(found, SCHEDULED))
            work = self._site.importer.run(*key, volume.spec, lambda share: self._report(key, share))
            self._jobs.start(key, work)

    async def _finish(self, volume: DataVolume, key: Key) -> None:
        self._progress.pop(key, None)
        try:
            self._jobs.take(key)
        except SolovirtError as error:
            delay = min(_FIRST_DELAY * 2.0**volume.status.restart_count, _LAST_DELAY)
            self._retry_at[key] = time.monotonic() + delay
            self._site.events.warning(volume, "Error", f"Unable to process data: {error}")
            message = str(error)
            await self._write(volume, lambda found: self._failed(found, message))
            self.queue.add_after(key, delay)
            return
        self._retry_at.pop(key, None)
        self._site.events.normal(volume, "ImportSucceeded", f"Successfully imported into PVC {key[1]}")
        await self._write(volume, self._succeeded)

    async def _claim(self, volume: DataVolume) -> PersistentVolumeClaim | None:
        """The claim to be filled; None while that cannot be done."""
        key = (volume.metadata.namespace, volume.metadata.name)
        claim = self._site.objects.find(CLAIMS, *key)
        if claim is None:
            try:
                claim = await self._site.objects.create(CLAIMS, make_claim(volume, self._source_size(volume)))
            except Invalid as error:
                # Only a clone may leave its size out, and its source may not be there yet.
                self._site.events.warning(volume, "ErrClaimNotValid", str(error))
                await self._write(volume, lambda found: self._phase(found, PENDING))
                self.queue.retry(key)
                return None
            except AlreadyExists:
                claim = self._site.objects.get(CLAIMS, *key)
        ours = any(ref.uid == volume.metadata.uid for ref in claim.metadata.owner_references)
        if ours and claim.metadata.deletion_timestamp is None:
            return claim
        if not ours:
            text = f"Resource {key[1]!r} already exists and is not managed by DataVolume"
            self._site.events.warning(volume, "ErrResourceExists", text)
        await self._write(volume, lambda found: self._phase(found, PENDING))
        self.queue.retry(key)
        return None

    def _source_size(self, volume: DataVolume) -> Quantity | None:
        """What a clone has when it does not say how large it is to be."""
        source = volume.spec.source
        if source is None or source.pvc is None:
            return None
        found = self._site.objects.find(CLAIMS, source.pvc.namespace, source.pvc.name)
        return found.spec.resources.requests.get("storage") if found is not None else None

    def _report(self, key: Key, share: float | None) -> None:
        self._progress[key] = percent(share)
        now = time.monotonic()
        if now - self._reported.get(key, 0.0) >= _REPORT_EVERY:
            self._reported[key] = now
            self.queue.add(key)

    async def _forget(self, key: Key) -> None:
        await self.stop_filling(key)
        for memory in (self._uids, self._retry_at, self._reported):
            memory.pop(key, None)

    def _phase(self, volume: DataVolume, phase: str) -> None:
        status = volume.status
        status.phase = phase
        status.claim_name = volume.metadata.name
        status.progress = status.progress or "N/A"
        self._conditions(volume, bound=phase != PENDING, running=False, reason="Pending", message="")

    def _running(self, volume: DataVolume, progress: str) -> None:
        volume.status.phase = IN_PROGRESS
        volume.status.progress = progress
        self._conditions(volume, bound=True, running=True, reason="Pod is running", message="")

    def _failed(self, volume: DataVolume, message: str, *, again: bool = True) -> None:
        volume.status.phase = FAILED
        volume.status.restart_count += again
        self._conditions(volume, bound=again, running=False, reason="Error", message=message)

    def _succeeded(self, volume: DataVolume) -> None:
        volume.status.phase = SUCCEEDED
        volume.status.progress = "100.0%"
        self._conditions(volume, bound=True, running=False, reason="Completed", message="Import Complete")

    def _conditions(self, volume: DataVolume, *, bound: bool, running: bool, reason: str, message: str) -> None:
        name, now = volume.metadata.name, self._site.now()
        done = volume.status.phase == SUCCEEDED
        conditions = volume.status.conditions
        text = f"PVC {name} Bound" if bound else f"PVC {name} Pending"
        for found in (
            Condition(type="Bound", status=_word(bound), reason="Bound" if bound else "Pending", message=text),
            Condition(type="Ready", status=_word(done), reason="" if done else "TransferRunning"),
            Condition(type="Running", status=_word(running), reason=reason, message=message),
        ):
            set_condition(conditions, found, now)

    async def _write(self, volume: DataVolume, change: Callable[[DataVolume], None]) -> None:
        uid = volume.metadata.uid

        def apply(found: DataVolume) -> bool:
            if found.metadata.uid != uid:
                return False
            change(found)
            return True

        try:
            await self._site.objects.modify(DVS, volume.metadata.namespace, volume.metadata.name, apply, status=True)
        except NotFound:
            pass


def make_claim(volume: DataVolume, source_size: Quantity | None = None) -> PersistentVolumeClaim:
    """The claim that a DataVolume owns; ``source_size`` is for a clone that names none."""
    meta = volume.metadata
    if volume.spec.pvc is not None:
        spec = clone(volume.spec.pvc)
    else:
        storage = volume.spec.storage
        assert storage is not None, "validated: a DataVolume has pvc or storage"
        spec = PersistentVolumeClaimSpec(
            access_modes=list(storage.access_modes) or ["ReadWriteOnce"],
            resources=VolumeResources(requests=dict(storage.resources.requests), limits=dict(storage.resources.limits)),
            storage_class_name=storage.storage_class_name,
            volume_mode=storage.volume_mode,
            volume_name=storage.volume_name,
        )
    if source_size is not None:
        spec.resources.requests.setdefault("storage", source_size)
    annotations = {name: value for name, value in meta.annotations.items() if name != _APPLIED}
    if volume.spec.preallocation:
        annotations.setdefault(THICK[0], "true")
    return PersistentVolumeClaim(
        metadata=ObjectMeta(
            name=meta.name,
            namespace=meta.namespace,
            labels={**meta.labels, "app": "containerized-data-importer"},
            annotations=annotations,
            owner_references=[owner(volume, DVS.api_version, DVS.kind)],
        ),
        spec=spec,
    )


def percent(share: float | None) -> str:
    """CDI's way: "NN.NN%" or "N/A"."""
    return "N/A" if share is None else f"{100 * share:.1f}%"


def _word(value: bool) -> str:
    return "True" if value else "False"
