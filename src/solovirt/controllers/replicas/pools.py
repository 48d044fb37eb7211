"""The VirtualMachinePool controller: as many VMs as are wanted, of the template as it is now.

Level-triggered, as the controller of replica sets is, and like it without expectations: writes are seen by whoever
reads after them. Must not know how a VM runs.
Source: kubevirt pkg/virt-controller/watch/pool/pool.go.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.labelselector import compile_selector, selector_text
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.api.replicas import wanted_replicas
from solovirt.controllers.replicas import choice, stamp
from solovirt.controllers.replicas.common import (
    BURST,
    Problem,
    all_of,
    controller_of,
    tell_failure,
    tell_pause,
    within_reach,
)
from solovirt.controllers.replicas.keeping import Keeping, keeps_after_deletion
from solovirt.controllers.replicas.renewal import Renewal
from solovirt.controllers.site import Key, Site
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import Conflict, NotFound, SolovirtError
from solovirt.store.watch import Change

POOLS, VMS = registry.POOLS, registry.VIRTUAL_MACHINES


class Pools:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._objects = site.objects
        self._keeping = Keeping(site)
        self._renewal = Renewal(site)
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="pool")

    def changed(self, change: Change[VirtualMachinePool]) -> None:
        self.queue.add((change.namespace, change.name))

    def machine_changed(self, change: Change[VirtualMachine]) -> None:
        """Wakes the pool that the VM belongs to. The name "" stands for VMs that a pool left behind."""
        ref = controller_of(change.object)
        if ref is not None and ref.kind == POOLS.kind:
            self.queue.add((change.namespace, ref.name))
        elif stamp.FINALIZER in change.object.metadata.finalizers:
            self.queue.add((change.namespace, ""))

    def wake_all(self) -> None:
        for found in self._objects.list(POOLS).items:
            self.queue.add((found.metadata.namespace, found.metadata.name))
        for vm in self._objects.list(VMS).items:
            if stamp.FINALIZER in vm.metadata.finalizers:
                self.queue.add((vm.metadata.namespace, ""))

    async def reconcile(self, key: Key) -> None:
        """The next step of one pool. What cannot be done is told in the status and tried again."""
        pool = self._objects.find(POOLS, *key)
        if pool is None or pool.metadata.deletion_timestamp is not None:
            await self._keeping.release_forsaken(key[0])
            return
        _, beyond = within_reach(wanted_replicas(pool.spec.replicas))
        problem = Problem("FailedScaleOut", beyond) if beyond else None
        for reason, step in (
            ("FailedUpdate", self._tend),
            ("FailedScaleIn", self._heal),
            ("FailedScaleOut", self._scale_out),
            ("FailedScaleIn", self._scale_in),
            ("FailedUpdate", self._renew),
        ):
            try:
                if step == self._tend or not pool.spec.paused:
                    await step(pool)
            except SolovirtError as error:
                problem = Problem(reason, f"{_DOING[reason]}: {error}")
                self.queue.retry(key)
                break
        await self._write_status(key, problem)

    async def _tend(self, pool: VirtualMachinePool) -> None:
        """Lets go of VMs whose labels match no more; keeps the disks of those that are being deleted, if it shall."""
        selector = compile_selector(pool.spec.selector)
        for vm in self._mine(pool):
            if vm.metadata.deletion_timestamp is not None:
                await self._keeping.part(vm, keep=keeps_after_deletion(pool))
            elif not selector.matches(vm.metadata.labels):
                await self._modify(vm, lambda found: _release(found, pool.metadata.uid))
            elif keeps_after_deletion(pool):
                await self._keeping.hold(vm)

    async def _heal(self, pool: VirtualMachinePool) -> None:
        healing = pool.spec.autohealing
        if healing is None:
            return
        now = self._site.clock()
        for vm in self._living(pool):
            left = choice.seconds_to_heal(vm, healing, now)
            if left == 0:
                await self._delete(pool, vm)
            elif left is not None:
                self.queue.add_after((pool.metadata.namespace, pool.metadata.name), left)

    async def _scale_out(self, pool: VirtualMachinePool) -> None:
        """A VM that is being deleted still has its name, so that another takes its place when it is gone."""
        missing = _wanted(pool) - len(self._mine(pool))
        if missing <= 0:
            return
        taken = {vm.metadata.name for vm in self._objects.list(VMS, pool.metadata.namespace).items}
        names = islice(stamp.names(pool.metadata.name, taken), min(missing, BURST))
        await all_of(self._create(pool, name) for name in names)

    async def _scale_in(self, pool: VirtualMachinePool) -> None:
        strategy = pool.spec.scale_in_strategy
        if strategy is not None and (strategy.unmanaged is not None or strategy.opportunistic is not None):
            return
        living = self._living(pool)
        excess = min(len(living) - _wanted(pool), BURST)
        if excess <= 0:
            return
        proactive = strategy.proactive if strategy is not None else None
        policy = proactive.selection_policy if proactive is not None else None
        chosen = choice.in_order(choice.selected(living, policy), policy)
        await all_of(self._delete(pool, vm) for vm in chosen[:excess])

    async def _renew(self, pool: VirtualMachinePool) -> None:
        """Only when there are as many as wanted: an update must not compete with a change of the number."""
        mine = self._mine(pool)
        if len(mine) >= _wanted(pool):
            await self._renewal.step(pool, [vm for vm in mine if vm.metadata.deletion_timestamp is None])

    async def _create(self, pool: VirtualMachinePool, name: str) -> None:
        made = stamp.make_machine(pool, name)
        try:
            await self._objects.create(VMS, made)
        except SolovirtError as error:
            self._site.events.warning(pool, "FailedCreate", f"Error creating VM: {error}")
            raise
        self._site.events.normal(pool, "SuccessfulCreate", f"Created VM {pool.metadata.namespace}/{name}")

    async def _delete(self, pool: VirtualMachinePool, vm: VirtualMachine) -> None:
        meta = vm.metadata
        place = f"{meta.namespace}/{meta.name}"
        await self._keeping.before_scale_in(pool, vm)
        try:
            await self._objects.delete(VMS, meta.namespace, meta.name, uid=meta.uid)
        except (NotFound, Conflict):
            return
        except SolovirtError as error:
            self._site.events.warning(pool, "FailedDelete", f"Error deleting virtual machine {place}: {error}")
            raise
        self._site.events.normal(pool, "SuccessfulDelete", f"Deleted VM {place} with uid {meta.uid} from pool")

    def _mine(self, pool: VirtualMachinePool) -> list[VirtualMachine]:
        vms = self._objects.list(VMS, pool.metadata.namespace).items
        return [vm for vm in vms if (ref := controller_of(vm)) is not None and ref.uid == pool.metadata.uid]

    def _living(self, pool: VirtualMachinePool) -> list[VirtualMachine]:
        return [vm for vm in self._mine(pool) if vm.metadata.deletion_timestamp is None]

    async def _modify(self, vm: VirtualMachine, change: Callable[[VirtualMachine], bool]) -> None:
        try:
            await self._objects.modify(VMS, vm.metadata.namespace, vm.metadata.name, change)
        except NotFound:
            pass

    async def _write_status(self, key: Key, problem: Problem | None) -> None:
        pool = self._objects.find(POOLS, *key)
        if pool is None:
            return
        mine = self._mine(pool)
        ready = sum(choice.is_ready(vm) for vm in mine)
        turned = False

        def change(found: VirtualMachinePool) -> bool:
            nonlocal turned
            status = found.status
            status.replicas, status.ready_replicas = len(mine), ready
            status.label_selector = selector_text(found.spec.selector)
            now = self._site.now()
            tell_failure(status.conditions, problem, now)
            text = "Pool controller is paused"
            turned = tell_pause(status.conditions, found.spec.paused, "SuccessfulPaused", text, now)
            return True

        try:
            pool = await self._objects.modify(POOLS, *key, change, status=True)
        except NotFound:
            return
        if turned:
            paused = pool.spec.paused
            told = ("SuccessfulPaused", "Pool is paused") if paused else ("SuccessfulResume", "Pool is unpaused")
            self._site.events.normal(pool, *told)


_DOING = {
    "FailedUpdate": "error during VM update",
    "FailedScaleIn": "error during scale in",
    "FailedScaleOut": "error during scale out",
}


def _wanted(pool: VirtualMachinePool) -> int:
    return within_reach(wanted_replicas(pool.spec.replicas))[0]


def _release(vm: VirtualMachine, uid: str) -> bool:
    meta = vm.metadata
    kept = [ref for ref in meta.owner_references if ref.uid != uid]
    changed = len(kept) < len(meta.owner_references)
    meta.owner_references = kept
    if stamp.FINALIZER in meta.finalizers:
        meta.finalizers.remove(stamp.FINALIZER)
        changed = True
    return changed
