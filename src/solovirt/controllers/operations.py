"""What users ask for at once: start, stop, restart, console, logs, explain; ``guest`` and ``machine`` have the rest.

Lifecycle requests only write what is wanted into objects; the reconcilers do it. Must not know HTTP.
Source: kubevirt pkg/virt-api/rest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers import explaining, refusals
from solovirt.controllers.figures import FiguresOfMachines
from solovirt.controllers.guest_operations import GuestOperations
from solovirt.controllers.guest_power import GuestPower
from solovirt.controllers.guest_work import GuestWork
from solovirt.controllers.machine_operations import MachineOperations
from solovirt.controllers.memory_dump import MemoryDumps
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.sizes import Sizes
from solovirt.controllers.targets import Targets
from solovirt.controllers.vm import run_strategy
from solovirt.controllers.vm.run_strategy import ALWAYS, FINAL, HALTED, ONCE, PAUSED, RERUN, START, STOP, strategy_of
from solovirt.controllers.vmi.ender import grace_of
from solovirt.controllers.vmi.machines import qemu_log
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.controllers.volume_operations import VolumeOperations
from solovirt.host.places import SERIAL_LOG
from solovirt.hypervisor.console import ConsoleSession
from solovirt.kit.errors import BadRequest, NotFound
from solovirt.kit.json import JsonObject

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES


class Operations:
    """All raise NotFound for an unknown VM or VMI, and Conflict, BadRequest, GuestError as KubeVirt does."""

    def __init__(self, site: Site, vmis: VirtualMachineInstances, figures: FiguresOfMachines) -> None:
        self._site = site
        self._objects = site.objects
        self._vmis = vmis
        self._targets = Targets(site, vmis)
        self.guest = GuestOperations(site, self._targets)
        self.machine = MachineOperations(site, self._targets, vmis.reboots)
        self.guest_power = GuestPower(self._targets, self.machine.waking.wake)
        self.dumps = MemoryDumps(site, self._targets, vmis.machines)
        self.volumes = VolumeOperations(site, self._targets)
        self.guest_work = GuestWork(site, self._targets, vmis)
        self.sizes = Sizes(self._targets)
        self.figures = figures

    async def start(self, namespace: str, name: str, *, paused: bool = False, dry_run: bool = False) -> None:
        """Start a VM; ``paused``: it waits before its first instruction."""
        vm = self._targets.vm(namespace, name)
        vmi = self._targets.vmi_of(vm)
        if vmi is not None and vmi.status.phase not in ("", *FINAL):
            raise conflict(name, refusals.VM_RUNNING)
        strategy = strategy_of(vm.spec)
        request = StateChangeRequest(action=START, data={PAUSED: "true"} if paused else {})
        if strategy in (ALWAYS, ONCE):
            raise conflict(name, refusals.no_manual_start(strategy))
        if strategy == HALTED and not paused:
            await self._set_running(vm, True, dry_run=dry_run)
            return
        if strategy == RERUN and vmi is not None and vmi.status.phase == "Failed":
            raise conflict(name, refusals.RERUN_FAILED)
        requests = [request]
        if vmi is not None and vmi.status.phase in FINAL:
            requests.insert(0, StateChangeRequest(action=STOP, uid=vmi.metadata.uid))
        await self._request(vm, requests, dry_run=dry_run)

    async def stop(self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False) -> None:
        """Stop a VM; the guest gets ``grace_period`` seconds, None for the VM's own."""
        vm = self._targets.vm(namespace, name)
        vmi = self._targets.vmi_of(vm)
        running = vmi is not None and vmi.status.phase not in FINAL
        strategy = strategy_of(vm.spec)
        if strategy == HALTED:
            if vmi is None or not running:
                raise conflict(name, refusals.VM_NOT_RUNNING)
            if grace_period is None or grace_period >= grace_of(vmi):
                raise conflict(name, refusals.SHORTER_GRACE)
        elif strategy in (ALWAYS, ONCE):
            await self._set_running(vm, False, dry_run=dry_run)
        else:
            if vmi is None or not running:
                raise conflict(name, refusals.VM_NOT_RUNNING)
            await self._request(vm, [StateChangeRequest(action=STOP, uid=vmi.metadata.uid)], dry_run=dry_run)
        await self._hurry(vmi, grace_period, dry_run=dry_run)

    async def restart(
        self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False
    ) -> None:
        """Stop, then start; ``grace_period`` 0 pulls the plug."""
        vm = self._targets.vm(namespace, name)
        strategy = strategy_of(vm.spec)
        if strategy in (HALTED, ONCE):
            raise conflict(name, refusals.no_manual_restart(strategy))
        vmi = self._targets.vmi_of(vm)
        if vmi is None or vmi.status.phase in FINAL:
            raise conflict(name, refusals.VM_NOT_RUNNING)
        requests = [StateChangeRequest(action=STOP, uid=vmi.metadata.uid), StateChangeRequest(action=START)]
        await self._request(vm, requests, dry_run=dry_run)
        await self._hurry(vmi, grace_period, dry_run=dry_run)

    async def open_console(self, namespace: str, name: str) -> ConsoleSession:
        """A session on the serial console; it ends the one before. Raises before anything is opened."""
        vmi = self._targets.vmi(namespace, name)
        if vmi.status.phase == "Failed":
            raise conflict(name, "VMI is in failed status", refusals.VMI)
        if vmi.spec.domain.devices.autoattach_serial_console is False:
            raise BadRequest("No serial consoles are present.")
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise refusals.not_running()
        session = await instance.open_console()
        self.figures.tallies.connected((namespace, name))
        return session

    async def logs(self, namespace: str, name: str, which: Literal["qemu", "serial"]) -> Path:
        """Where the log of the VMI's machine is; it may not exist yet."""
        uid = self._targets.vmi(namespace, name).metadata.uid
        if which == "qemu":
            return qemu_log(self._site.paths, uid)
        return self._site.paths.instance(uid) / SERIAL_LOG

    async def explain(self, namespace: str, name: str) -> JsonObject:
        """The command line of a VM (or a lone VMI) with all reasons: of the machine that runs, else of a next one."""
        vm = self._objects.find(VMS, namespace, name)
        vmi = self._objects.find(VMIS, namespace, name)
        if vmi is not None:
            known = self._vmis.records.explanation(vmi.metadata.uid)
            if known is not None:
                return known
        if vm is None and vmi is None:
            raise refusals.not_found(name, refusals.VM)
        return explaining.planned(self._site, self._vmis.records, vm, vmi)

    async def _set_running(self, vm: VirtualMachine, running: bool, *, dry_run: bool) -> None:
        def change(found: VirtualMachine) -> bool:
            if found.spec.run_strategy:
                found.spec.run_strategy = ALWAYS if running else HALTED
            else:
                found.spec.running = running
            return True

        await self._change(vm, change, status=False, dry_run=dry_run)

    async def _request(self, vm: VirtualMachine, requests: list[StateChangeRequest], *, dry_run: bool) -> None:
        """Leaves requests to the reconciler, unless there are some already."""
        name = vm.metadata.name

        def change(found: VirtualMachine) -> bool:
            if run_strategy.trim(found.status.state_change_requests, run_strategy.Life.of(self._targets.vmi_of(found))):
                raise conflict(name, refusals.UNDERWAY)
            found.status.state_change_requests = requests
            return True

        await self._change(vm, change, status=True, dry_run=dry_run)

    async def _change(
        self, vm: VirtualMachine, change: Callable[[VirtualMachine], bool], *, status: bool, dry_run: bool
    ) -> None:
        namespace, name = vm.metadata.namespace, vm.metadata.name
        if dry_run:
            change(self._targets.vm(namespace, name))
            return
        try:
            await self._objects.modify(VMS, namespace, name, change, status=status)
        except NotFound:
            raise refusals.not_found(name, refusals.VM) from None

    async def _hurry(self, vmi: VirtualMachineInstance | None, grace: int | None, *, dry_run: bool) -> None:
        """Deletes the VMI here and now when it has less time than usual; the reconciler would give it all."""
        if vmi is None or grace is None or dry_run:
            return
        meta = vmi.metadata
        try:
            await self._objects.delete(VMIS, meta.namespace, meta.name, uid=meta.uid, grace_period=grace)
        except NotFound:
            pass
