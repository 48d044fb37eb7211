"""``statePreservation`` of a pool: disks outlive their VM, and the next VM of the same name finds them.

A DataVolume is kept by taking its VM out of its owners. When the pool deletes the VM, that is done before; when others
do (opportunistic scale-in), a finalizer makes the VM wait for it. As in KubeVirt, Online keeps disks only, too.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api import registry
from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.controllers.replicas.common import controller_of
from solovirt.controllers.replicas.stamp import FINALIZER
from solovirt.controllers.site import Site
from solovirt.controllers.vm.factory import controls
from solovirt.kit.errors import NotFound

POOLS, VMS, DATA_VOLUMES = registry.POOLS, registry.VIRTUAL_MACHINES, registry.DATA_VOLUMES
_DISABLED = ("", "Disabled")


def keeps_after_deletion(pool: VirtualMachinePool) -> bool:
    """Whether disks of a VM that somebody deletes are kept."""
    strategy = pool.spec.scale_in_strategy
    chosen = strategy.opportunistic if strategy is not None else None
    return chosen is not None and chosen.state_preservation not in _DISABLED


class Keeping:
    def __init__(self, site: Site) -> None:
        self._objects = site.objects

    async def before_scale_in(self, pool: VirtualMachinePool, vm: VirtualMachine) -> None:
        strategy = pool.spec.scale_in_strategy
        chosen = strategy.proactive if strategy is not None else None
        if chosen is not None and chosen.state_preservation not in _DISABLED:
            await self._disown_disks(vm)

    async def hold(self, vm: VirtualMachine) -> None:
        """Makes the VM wait at its end."""

        def change(found: VirtualMachine) -> bool:
            if FINALIZER in found.metadata.finalizers or found.metadata.deletion_timestamp is not None:
                return False
            found.metadata.finalizers.append(FINALIZER)
            return True

        if FINALIZER not in vm.metadata.finalizers:
            await self._modify(vm, change)

    async def part(self, vm: VirtualMachine, *, keep: bool) -> None:
        """A VM that waits at its end may go."""
        if FINALIZER not in vm.metadata.finalizers:
            return
        if keep:
            await self._disown_disks(vm)
        await self._modify(vm, _let_go)

    async def release_forsaken(self, namespace: str) -> None:
        """VMs that wait for a pool which is gone, or going, wait no longer."""
        for vm in self._objects.list(VMS, namespace).items:
            if FINALIZER in vm.metadata.finalizers and not self._has_pool(vm):
                await self._modify(vm, _let_go)

    def _has_pool(self, vm: VirtualMachine) -> bool:
        ref = controller_of(vm)
        if ref is None or ref.kind != POOLS.kind:
            return False
        pool = self._objects.find(POOLS, vm.metadata.namespace, ref.name)
        return pool is not None and pool.metadata.uid == ref.uid and pool.metadata.deletion_timestamp is None

    async def _disown_disks(self, vm: VirtualMachine) -> None:
        uid, namespace = vm.metadata.uid, vm.metadata.namespace

        def change(found: DataVolume) -> bool:
            meta = found.metadata
            kept = [ref for ref in meta.owner_references if ref.uid != uid]
            changed = len(kept) < len(meta.owner_references)
            meta.owner_references = kept
            return changed

        for found in self._objects.list(DATA_VOLUMES, namespace).items:
            if controls(uid, found):
                try:
                    await self._objects.modify(DATA_VOLUMES, namespace, found.metadata.name, change)
                except NotFound:
                    continue

    async def _modify(self, vm: VirtualMachine, change: Callable[[VirtualMachine], bool]) -> None:
        try:
            await self._objects.modify(VMS, vm.metadata.namespace, vm.metadata.name, change)
        except NotFound:
            pass


def _let_go(vm: VirtualMachine) -> bool:
    if FINALIZER not in vm.metadata.finalizers:
        return False
    vm.metadata.finalizers.remove(FINALIZER)
    return True
