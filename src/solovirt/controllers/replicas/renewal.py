"""A pool's update: VMs get the new template, and those that run the old one are restarted, so many at a time.

Source: kubevirt pkg/virt-controller/watch/pool/pool.go, ``update``. Where KubeVirt deletes a VMI and leaves it to the
run strategy whether there is another, here a restart is asked for: that works for every strategy.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.controllers.replicas import choice, instances
from solovirt.controllers.replicas.common import BURST, all_of
from solovirt.controllers.replicas.stamp import MADE_OF, REVISION, revision_of, update_machine
from solovirt.controllers.site import Site
from solovirt.controllers.vm.factory import controls
from solovirt.controllers.vm.run_strategy import FINAL, START, STOP
from solovirt.kit.errors import Conflict, NotFound, SolovirtError

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES


class Need(StrEnum):
    """What a running VM lacks."""

    NOTHING = "Nothing"
    LABEL = "Label"
    RESTART = "Restart"
    REPLACEMENT = "Replacement"
    """Its DataVolumes are of another template: only another VM has other ones."""


class Renewal:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._objects = site.objects

    async def step(self, pool: VirtualMachinePool, vms: list[VirtualMachine]) -> None:
        """``vms`` are those that nobody deletes."""
        strategy = pool.spec.update_strategy
        if strategy is not None and strategy.unmanaged is not None:
            return
        proactive = strategy.proactive if strategy is not None else None
        policy = proactive.selection_policy if proactive is not None else None
        revision = revision_of(pool)
        chosen = choice.selected(vms, policy)
        old = [vm for vm in chosen if vm.metadata.labels.get(REVISION) != revision]
        await all_of(self._update(pool, vm) for vm in old[:BURST])
        if strategy is None or strategy.opportunistic is None:
            current = [vm for vm in chosen if vm.metadata.labels.get(REVISION) == revision]
            await self._restart(pool, choice.in_order(current, policy))

    async def _update(self, pool: VirtualMachinePool, vm: VirtualMachine) -> None:
        meta = vm.metadata
        place = f"{meta.namespace}/{meta.name}"

        def change(found: VirtualMachine) -> bool:
            update_machine(pool, found)
            return True

        try:
            await self._objects.modify(VMS, meta.namespace, meta.name, change)
        except NotFound:
            return
        except SolovirtError as error:
            self._site.events.warning(pool, "FailedUpdate", f"Error updating virtual machine {place}: {error}")
            raise
        self._site.events.normal(pool, "SuccessfulUpdate", f"Updated VM {place}")

    async def _restart(self, pool: VirtualMachinePool, vms: list[VirtualMachine]) -> None:
        """Those that are not ready are nobody's loss; of the others as many as may be unavailable."""
        allowed = choice.max_unavailable(pool.spec) - sum(not self._is_available(vm) for vm in vms)
        for vm, vmi, need in self._needs(vms):
            if need is Need.LABEL:
                await self._label(vm, vmi)
                continue
            if self._is_available(vm):
                if allowed <= 0:
                    continue
                allowed -= 1
            await (self._replace(pool, vm) if need is Need.REPLACEMENT else self._ask(pool, vm, vmi))

    def _needs(self, vms: Iterable[VirtualMachine]) -> Iterable[tuple[VirtualMachine, VirtualMachineInstance, Need]]:
        for vm in vms:
            vmi = self._vmi(vm)
            if vmi is None or vmi.metadata.deletion_timestamp is not None or vmi.status.phase in FINAL:
                continue
            if (need := need_of(vm, vmi)) is not Need.NOTHING:
                yield vm, vmi, need

    def _is_available(self, vm: VirtualMachine) -> bool:
        vmi = self._vmi(vm)
        if vmi is None or vmi.metadata.deletion_timestamp is not None or vm.status.state_change_requests:
            return False
        return vmi.status.phase == "Running" and instances.is_ready(vmi)

    async def _ask(self, pool: VirtualMachinePool, vm: VirtualMachine, vmi: VirtualMachineInstance) -> None:
        meta = vm.metadata
        asked = False

        def change(found: VirtualMachine) -> bool:
            nonlocal asked
            asked = not found.status.state_change_requests
            if asked:
                stop = StateChangeRequest(action=STOP, uid=vmi.metadata.uid)
                found.status.state_change_requests = [stop, StateChangeRequest(action=START)]
            return asked

        try:
            await self._objects.modify(VMS, meta.namespace, meta.name, change, status=True)
        except NotFound:
            return
        if asked:
            text = f"Restarting VM {meta.namespace}/{meta.name} with the new template"
            self._site.events.normal(pool, "SuccessfulUpdate", text)

    async def _replace(self, pool: VirtualMachinePool, vm: VirtualMachine) -> None:
        meta = vm.metadata
        try:
            await self._objects.delete(VMS, meta.namespace, meta.name, uid=meta.uid, propagation="Foreground")
        except (NotFound, Conflict):
            return
        text = f"Deleted VM {meta.namespace}/{meta.name}: the new template has other DataVolumes"
        self._site.events.normal(pool, "SuccessfulDelete", text)

    async def _label(self, vm: VirtualMachine, vmi: VirtualMachineInstance) -> None:
        def change(found: VirtualMachineInstance) -> bool:
            found.metadata.labels[REVISION] = vm.metadata.labels[REVISION]
            return True

        try:
            await self._objects.modify(VMIS, vmi.metadata.namespace, vmi.metadata.name, change)
        except NotFound:
            pass

    def _vmi(self, vm: VirtualMachine) -> VirtualMachineInstance | None:
        vmi = self._objects.find(VMIS, vm.metadata.namespace, vm.metadata.name)
        return vmi if vmi is not None and controls(vm.metadata.uid, vmi) else None


def need_of(vm: VirtualMachine, vmi: VirtualMachineInstance) -> Need:
    """What the VMI lacks to be of the VM's template."""
    if vm.metadata.labels.get(REVISION) == vmi.metadata.labels.get(REVISION):
        return Need.NOTHING
    wanted = vm.spec.template.metadata.annotations.get(MADE_OF, "").partition("-")
    running = vmi.metadata.annotations.get(MADE_OF, "").partition("-")
    if wanted == running:
        return Need.LABEL
    return Need.RESTART if wanted[2] == running[2] else Need.REPLACEMENT
