"""The VirtualMachineInstanceReplicaSet controller: as many VMIs as are wanted, adopted, made or deleted.

Level-triggered: every call looks at what is there and does the next step. Kubernetes' controllers count expectations,
because their caches lag behind their own writes; here a write returns when every reader sees it, and one set is never
handled twice at once, so that nothing is made twice. Must not know how a machine runs.
Source: kubevirt pkg/virt-controller/watch/replicaset/replicaset.go.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api import registry
from solovirt.api.kubevirt.replicaset import VirtualMachineInstanceReplicaSet as ReplicaSet
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.labelselector import compile_selector, selector_text
from solovirt.api.replicas import wanted_replicas
from solovirt.controllers.replicas.common import (
    BURST,
    Problem,
    all_of,
    controller_of,
    tell_failure,
    tell_pause,
    within_reach,
)
from solovirt.controllers.replicas.instances import Population, expendable, is_ready, make_instance, seconds_to_wait
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vm.factory import owner
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import Conflict, NotFound, SolovirtError
from solovirt.store.watch import Change

SETS, VMIS = registry.REPLICA_SETS, registry.VIRTUAL_MACHINE_INSTANCES


class ReplicaSets:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._objects = site.objects
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="replicaset")

    def changed(self, change: Change[ReplicaSet]) -> None:
        self.queue.add((change.namespace, change.name))

    def instance_changed(self, change: Change[VirtualMachineInstance]) -> None:
        """Wakes the set that the VMI belongs to; of one that belongs to nobody, those that might adopt it."""
        ref = controller_of(change.object)
        if ref is None:
            for found in self._objects.list(SETS, change.namespace).items:
                self.queue.add((change.namespace, found.metadata.name))
        elif ref.kind == SETS.kind:
            self.queue.add((change.namespace, ref.name))

    def wake_all(self) -> None:
        for found in self._objects.list(SETS).items:
            self.queue.add((found.metadata.namespace, found.metadata.name))

    async def reconcile(self, key: Key) -> None:
        """The next step of one set. What cannot be done is told in the status and tried again."""
        found = self._objects.find(SETS, *key)
        if found is None:
            return
        problem: Problem | None = None
        if found.metadata.deletion_timestamp is None:
            wanted, beyond = within_reach(wanted_replicas(found.spec.replicas))
            problem = Problem("FailedCreate", beyond) if beyond else None
            try:
                await self._claim(found)
                if not found.spec.paused:
                    await self._scale(found, key, wanted)
            except SolovirtError as error:
                too_few = len(self._population(found).active) < wanted_replicas(found.spec.replicas)
                problem = Problem("FailedCreate" if too_few else "FailedDelete", str(error))
                self.queue.retry(key)
        await self._write_status(key, problem)

    async def _claim(self, found: ReplicaSet) -> None:
        """Adopts VMIs that match and belong to nobody, lets go of those that match no more."""
        selector = compile_selector(found.spec.selector)
        works = []
        for vmi in self._objects.list(VMIS, found.metadata.namespace).items:
            if vmi.metadata.deletion_timestamp is not None:
                continue
            ref = controller_of(vmi)
            matches = selector.matches(vmi.metadata.labels)
            if ref is None and matches and vmi.status.phase not in ("Succeeded", "Failed"):
                works.append(self._adopt(found, vmi))
            elif ref is not None and ref.uid == found.metadata.uid and not matches:
                works.append(self._release(found, vmi))
        await all_of(works)

    async def _adopt(self, found: ReplicaSet, vmi: VirtualMachineInstance) -> None:
        ref = owner(found, SETS.api_version, SETS.kind)

        def change(present: VirtualMachineInstance) -> bool:
            if controller_of(present) is not None or present.metadata.deletion_timestamp is not None:
                return False
            present.metadata.owner_references.append(ref)
            return True

        await self._modify(vmi, change)

    async def _release(self, found: ReplicaSet, vmi: VirtualMachineInstance) -> None:
        def change(present: VirtualMachineInstance) -> bool:
            meta = present.metadata
            kept = [ref for ref in meta.owner_references if ref.uid != found.metadata.uid]
            changed = len(kept) < len(meta.owner_references)
            meta.owner_references = kept
            return changed

        await self._modify(vmi, change)

    async def _scale(self, found: ReplicaSet, key: Key, wanted: int) -> None:
        now = self._site.clock()
        there = self._population(found)
        waiting = [vmi for vmi in there.finished if seconds_to_wait(vmi, now) > 0]
        over = [vmi for vmi in there.finished if vmi not in waiting]
        excess = len(there.active) + len(waiting) - wanted
        if excess < 0:
            await all_of(self._create(found) for _ in range(min(-excess, BURST)))
        elif excess > 0:
            first = [*waiting, *expendable(there.active)][: min(excess, BURST)]
            await all_of(self._delete(found, vmi, finished=vmi in waiting) for vmi in first)
            waiting = [vmi for vmi in waiting if vmi not in first]
        await all_of(self._delete(found, vmi, finished=True) for vmi in over[:BURST])
        if waiting:
            self.queue.add_after(key, min(seconds_to_wait(vmi, now) for vmi in waiting))

    async def _create(self, found: ReplicaSet) -> None:
        try:
            made = await self._objects.create(VMIS, make_instance(found))
        except SolovirtError as error:
            self._site.events.warning(found, "FailedCreate", f"Error creating virtual machine instance: {error}")
            raise
        name = made.metadata.name
        text = f"Started the virtual machine by creating the new virtual machine instance {name}"
        self._site.events.normal(found, "SuccessfulCreate", text)

    async def _delete(self, found: ReplicaSet, vmi: VirtualMachineInstance, *, finished: bool) -> None:
        meta = vmi.metadata
        try:
            await self._objects.delete(VMIS, meta.namespace, meta.name, uid=meta.uid)
        except (NotFound, Conflict):
            return
        except SolovirtError as error:
            text = f"Error deleting virtual machine instance {meta.name}: {error}"
            self._site.events.warning(found, "FailedDelete", text)
            raise
        told = "Deleted finished virtual machine: " if finished else ""
        told = told or "Stopped the virtual machine by deleting the virtual machine instance "
        self._site.events.normal(found, "SuccessfulDelete", told + meta.uid)

    def _population(self, found: ReplicaSet) -> Population:
        vmis = self._objects.list(VMIS, found.metadata.namespace).items
        return Population.of(found.metadata.uid, vmis)

    async def _write_status(self, key: Key, problem: Problem | None) -> None:
        found = self._objects.find(SETS, *key)
        if found is None:
            return
        active = self._population(found).active
        ready = sum(is_ready(vmi) for vmi in active)
        turned = False

        def change(present: ReplicaSet) -> bool:
            nonlocal turned
            status = present.status
            status.replicas, status.ready_replicas = len(active), ready
            status.label_selector = selector_text(present.spec.selector)
            now = self._site.now()
            tell_failure(status.conditions, problem, now)
            turned = tell_pause(status.conditions, present.spec.paused, "Paused", "Controller got paused", now)
            return True

        try:
            found = await self._objects.modify(SETS, *key, change, status=True)
        except NotFound:
            return
        if turned:
            reason, text = ("SuccessfulPaused", "Paused") if found.spec.paused else ("SuccessfulResumed", "Resumed")
            self._site.events.normal(found, reason, text)

    async def _modify(self, vmi: VirtualMachineInstance, change: Callable[[VirtualMachineInstance], bool]) -> None:
        try:
            await self._objects.modify(VMIS, vmi.metadata.namespace, vmi.metadata.name, change)
        except NotFound:
            pass
