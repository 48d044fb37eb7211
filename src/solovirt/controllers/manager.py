"""All controllers of one daemon: made, started, fed with changes, let go of.

Stopping the manager never stops a VM. Must not know HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar, cast

from solovirt.api import registry
from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.core.secret import Secret
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import KubeObject
from solovirt.api.registry import AnyResource
from solovirt.api.resource import Resource
from solovirt.controllers import adoption, presets
from solovirt.controllers.events import Recorder
from solovirt.controllers.feeds import follow
from solovirt.controllers.figures import FiguresOfMachines
from solovirt.controllers.garbage import GarbageCollector
from solovirt.controllers.operations import Operations
from solovirt.controllers.replicas.pools import Pools
from solovirt.controllers.replicas.sets import ReplicaSets
from solovirt.controllers.site import Key, Site, utc_now
from solovirt.controllers.storage.claims import Claims
from solovirt.controllers.storage.data_volumes import DataVolumes
from solovirt.controllers.storage.growth import Growth
from solovirt.controllers.vm.reconciler import VirtualMachines
from solovirt.controllers.vmi.lookup import claims_of
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.host import access
from solovirt.host.images.store import ImageStore
from solovirt.host.model.facts import HostFacts
from solovirt.host.volumes import claims as claim_files
from solovirt.host.volumes import overlay
from solovirt.host.volumes.imports import Importer
from solovirt.host.volumes.prepare import Volumes
from solovirt.hypervisor.model import InstanceEvent
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.aio import TaskSet
from solovirt.kit.paths import Paths
from solovirt.store.objects import Objects
from solovirt.store.watch import Change

log = logging.getLogger(__name__)

T = TypeVar("T", bound=KubeObject)


class Manager:
    """``operations`` serves imperative requests; ``images`` is the daemon's image cache."""

    def __init__(
        self,
        paths: Paths,
        objects: Objects,
        facts: HostFacts,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.images = ImageStore(
            paths.images, in_use=self._blobs_in_use, imported=self._image_imported, environ=environ
        )
        self._paths = paths
        self._objects = objects
        files = claim_files.Claims(paths.volumes)
        self._site = Site(
            paths=paths,
            objects=objects,
            facts=facts,
            events=Recorder(objects, facts.node_name),
            hypervisor=Hypervisor(self._on_event),
            images=self.images,
            claims=files,
            importer=Importer(files, self.images),
            volumes=Volumes(paths, self.images, files),
            clock=clock,
        )
        self._vms = VirtualMachines(self._site)
        self._vmis = VirtualMachineInstances(self._site)
        self._data_volumes = DataVolumes(self._site)
        growth = Growth(self._site, self._vmis.records, self._vmis.queue.add)
        self._claims = Claims(self._site, self._data_volumes.stop_filling, growth)
        self._replica_sets = ReplicaSets(self._site)
        self._pools = Pools(self._site)
        self._garbage = GarbageCollector(objects)
        self._feeds = TaskSet("controllers")
        self._figures = FiguresOfMachines(self._site, self._vmis.records, self._queue_lengths)
        self.operations = Operations(self._site, self._vmis, self._figures)

    async def start(self) -> None:
        """Finds the machines that run, cleans up what an earlier daemon left, then begins to reconcile.

        Raises HostError when the daemon's directories cannot be used.
        """
        began = time.monotonic()
        await asyncio.to_thread(self._make_directories)
        self._site.events.start()
        # A machine that is found tells at once what happened; what its reconciler needs may not be found yet.
        self._vmis.queue.hold()
        found = await adoption.adopt_all(self._site, self._vmis)
        log.info("%d running machines found in %.2f s", found, time.monotonic() - began)
        await self.images.open()
        await self._site.claims.sweep()
        await adoption.sweep(self._site, self._vmis)
        await self.operations.machine.waking.resume()
        await self.operations.guest_work.resume()
        await self.operations.dumps.resume()
        for vmi in self._objects.list(registry.VIRTUAL_MACHINE_INSTANCES).items:
            self._figures.tallies.saw(vmi, began=True)
        self._vmis.queue.resume()
        self._follow(registry.VIRTUAL_MACHINES, self._vm_changed)
        self._follow(registry.VIRTUAL_MACHINE_INSTANCES, self._vmi_changed)
        self._follow(registry.DATA_VOLUMES, self._data_volume_changed)
        self._follow(registry.PERSISTENT_VOLUME_CLAIMS, self._claim_changed)
        self._follow(registry.SECRETS, self._secret_changed)
        self._follow(registry.CONFIG_MAPS, self._input_changed)
        self._follow(registry.REPLICA_SETS, self._replica_sets.changed)
        self._follow(registry.POOLS, self._pools.changed)
        self._follow(registry.NAMESPACES, lambda change: None)
        self._garbage.scan()
        self._feeds.spawn(self._vmis.keep_logs_small(), "serial logs")

    async def stop(self) -> None:
        """Lets go of every machine; none is stopped. May be called again, and after a start that failed."""
        await self._feeds.close()
        await self.operations.guest_work.close()
        await self.operations.dumps.close()
        await self.operations.machine.clocks.close()
        await self._figures.close()
        await self._vms.queue.stop()
        await self._vmis.close()
        await self._data_volumes.close()
        await self._claims.queue.stop()
        await self._replica_sets.queue.stop()
        await self._pools.queue.stop()
        await self._garbage.queue.stop()
        await self._site.hypervisor.close()
        await self._site.events.stop()
        await self.images.close()

    def _make_directories(self) -> None:
        access.open_up(self._paths)
        sockets = self._paths.sockets("x").parent
        sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        if access.is_root():
            sockets.chmod(0o711)

    def _follow(self, resource: Resource[T], handle: Callable[[Change[T]], None]) -> None:
        seen = cast(AnyResource, resource)

        def changed(change: Change[T]) -> None:
            handle(change)
            deleted = change.type == "DELETED"
            self._garbage.saw(seen, change.object, deleted=deleted)

        work = follow(self._objects, resource, changed, self._missed)
        self._feeds.spawn(work, f"changes of {resource.key}")

    def _missed(self) -> None:
        """Deletions may be among the lost changes: ask for everything that could depend on one."""
        self._garbage.scan()
        self._replica_sets.wake_all()
        self._pools.wake_all()
        for vm in self._objects.list(registry.VIRTUAL_MACHINES).items:
            self._vms.queue.add((vm.metadata.namespace, vm.metadata.name))
        for claim in self._objects.list(registry.PERSISTENT_VOLUME_CLAIMS).items:
            self._claims.queue.add((claim.metadata.namespace, claim.metadata.name))

    def _queue_lengths(self) -> dict[str, int]:
        return {
            "vm": len(self._vms.queue),
            "vmi": len(self._vmis.queue),
            "datavolume": len(self._data_volumes.queue),
            "persistentvolumeclaim": len(self._claims.queue),
            "vmirs": len(self._replica_sets.queue),
            "vmpool": len(self._pools.queue),
            "garbage": len(self._garbage.queue),
        }

    def _on_event(self, event: InstanceEvent) -> None:
        self._vmis.on_event(event)
        if event.kind == "agent-connected" and (instance := self._vmis.machines.known(event.uid)) is not None:
            self.operations.machine.clocks.agent_connected(instance)
        if event.kind == "panicked" and (record := self._vmis.records.launch(event.uid)) is not None:
            self._figures.tallies.panicked((record.namespace, record.name))

    def _vm_changed(self, change: Change[VirtualMachine]) -> None:
        self._vms.queue.add((change.namespace, change.name))
        self._pools.machine_changed(change)

    def _vmi_changed(self, change: Change[VirtualMachineInstance]) -> None:
        key: Key = (change.namespace, change.name)
        if change.type == "ADDED":
            presets.tell(self._site.events, change.object)
        if change.type != "DELETED":
            self._vmis.queue.add(key)
        self._vms.queue.add(key)
        self._replica_sets.instance_changed(change)
        vmi = change.object
        if change.type == "DELETED":
            self._figures.tallies.forget(vmi)
        else:
            self._figures.tallies.saw(vmi)
        if change.type == "DELETED" or vmi.status.phase in ("Succeeded", "Failed"):
            for name in claims_of(vmi):
                self._claims.queue.add((change.namespace, name))

    def _data_volume_changed(self, change: Change[DataVolume]) -> None:
        key: Key = (change.namespace, change.name)
        self._data_volumes.queue.add(key)
        self._claims.queue.add(key)
        self._wake_waiting(change.namespace)
        for ref in change.object.metadata.owner_references:
            if ref.kind == registry.VIRTUAL_MACHINES.kind:
                self._vms.queue.add((change.namespace, ref.name))

    def _claim_changed(self, change: Change[PersistentVolumeClaim]) -> None:
        key: Key = (change.namespace, change.name)
        self._claims.queue.add(key)
        self._data_volumes.queue.add(key)
        self._wake_waiting(change.namespace)
        for vmi in self._objects.list(registry.VIRTUAL_MACHINE_INSTANCES, change.namespace).items:
            if change.name in claims_of(vmi):
                self._vmis.queue.add((change.namespace, vmi.metadata.name))

    def _secret_changed(self, change: Change[Secret]) -> None:
        self._vmis.credentials.secret_changed(change.namespace, change.name)
        self._wake_waiting(change.namespace)

    def _input_changed(self, change: Change[T]) -> None:
        self._wake_waiting(change.namespace)

    def _wake_waiting(self, namespace: str) -> None:
        for name in self._vmis.starter.waiting.get(namespace, ()):
            self._vmis.queue.add((namespace, name))

    def _image_imported(self) -> None:
        self._vmis.starter.imported()

    def _blobs_in_use(self) -> dict[str, str]:
        """Files of images that machines use -> "namespace/name" of the machine. Called in a thread."""
        launches = self._vmis.records.launches()
        names = {uid: f"{record.namespace}/{record.name}" for uid, record in launches.items()}
        found = overlay.blobs_in_use(self._paths.instance("x").parent, self.images.blobs)
        used = {blob: names.get(uid, uid) for blob, uid in found.items()}
        used.update({blob: names[uid] for uid, record in launches.items() for blob in record.blobs})
        return used
