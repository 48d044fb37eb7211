"""What users ask for at once: start, stop, restart, pause, guest agent, console, logs, explain.

Lifecycle requests only write what is wanted into objects; the reconcilers do it. Must not know HTTP.
Source: kubevirt pkg/virt-api/rest.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import find_condition
from solovirt.controllers import explaining, guest, refusals
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.vm import factory, run_strategy
from solovirt.controllers.vm.run_strategy import ALWAYS, FINAL, HALTED, ONCE, PAUSED, RERUN, START, STOP, strategy_of
from solovirt.controllers.vmi.ender import grace_of
from solovirt.controllers.vmi.machines import qemu_log
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.host.places import SERIAL_LOG
from solovirt.hypervisor.console import ConsoleSession
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import ExecResult, RunState
from solovirt.kit.errors import BadRequest, GuestError, NotFound
from solovirt.kit.json import Json, JsonObject

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES


class ExecRequest(Protocol):
    """A program to run in the guest; ``env`` holds NAME=VALUE strings, ``timeout`` is in seconds."""

    @property
    def command(self) -> tuple[str, ...]: ...

    @property
    def env(self) -> tuple[str, ...]: ...

    @property
    def input(self) -> bytes: ...

    @property
    def timeout(self) -> float: ...


class Operations:
    """All raise NotFound for an unknown VM or VMI, and Conflict, BadRequest, GuestError as KubeVirt does."""

    def __init__(self, site: Site, vmis: VirtualMachineInstances) -> None:
        self._site = site
        self._objects = site.objects
        self._vmis = vmis

    async def start(self, namespace: str, name: str, *, paused: bool = False, dry_run: bool = False) -> None:
        """Start a VM; ``paused``: it waits before its first instruction."""
        vm = self._vm(namespace, name)
        vmi = self._vmi_of(vm)
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
        vm = self._vm(namespace, name)
        vmi = self._vmi_of(vm)
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
        vm = self._vm(namespace, name)
        strategy = strategy_of(vm.spec)
        if strategy in (HALTED, ONCE):
            raise conflict(name, refusals.no_manual_restart(strategy))
        vmi = self._vmi_of(vm)
        if vmi is None or vmi.status.phase in FINAL:
            raise conflict(name, refusals.VM_NOT_RUNNING)
        requests = [StateChangeRequest(action=STOP, uid=vmi.metadata.uid), StateChangeRequest(action=START)]
        await self._request(vm, requests, dry_run=dry_run)
        await self._hurry(vmi, grace_period, dry_run=dry_run)

    async def pause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Stop the machine's CPUs. Returns when they stand still."""
        vmi, instance = self._for_pause(namespace, name)
        if vmi.spec.liveness_probe is not None and vmi.spec.liveness_probe.guest_agent_ping is None:
            raise refusals.pause_forbidden(name)
        if find_condition(vmi.status.conditions, "Paused") is not None or instance.run_state is RunState.PAUSED:
            raise conflict(name, refusals.VMI_PAUSED)
        if not dry_run:
            await instance.pause()

    async def unpause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Let a paused machine run again."""
        _, instance = self._for_pause(namespace, name)
        if instance.run_state is RunState.RUNNING:
            raise conflict(name, refusals.VMI_NOT_PAUSED)
        if dry_run:
            return
        await instance.resume()
        if instance.agent.connected:
            # The guest's clock stood still with it.
            with contextlib.suppress(GuestError):
                await instance.agent.command("guest-set-time", {"time": time.time_ns()}, timeout=2)

    async def guest_os_info(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceGuestAgentInfo."""
        return await guest.os_info(self._with_agent(namespace, name).agent)

    async def user_list(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceGuestOSUserList."""
        return await guest.user_list(self._with_agent(namespace, name).agent)

    async def filesystem_list(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceFileSystemList."""
        return await guest.filesystem_list(self._with_agent(namespace, name).agent)

    async def agent_command(self, namespace: str, name: str, command: str, arguments: JsonObject) -> Json:
        """Any guest agent command; its raw reply."""
        return await self._with_agent(namespace, name).agent.command(command, arguments or None)

    async def guest_exec(self, namespace: str, name: str, request: ExecRequest) -> ExecResult:
        """Run a program in the guest and wait for its end."""
        if not request.command:
            raise BadRequest("command: at least one word is required", field="command")
        agent = self._with_agent(namespace, name).agent
        return await agent.execute(
            request.command[0],
            request.command[1:],
            env=request.env,
            input_data=request.input or None,
            timeout=request.timeout,
        )

    async def open_console(self, namespace: str, name: str) -> ConsoleSession:
        """A session on the serial console; it ends the one before. Raises before anything is opened."""
        vmi = self._vmi(namespace, name)
        if vmi.status.phase == "Failed":
            raise conflict(name, "VMI is in failed status", refusals.VMI)
        if vmi.spec.domain.devices.autoattach_serial_console is False:
            raise BadRequest("No serial consoles are present.")
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise refusals.not_running()
        return await instance.open_console()

    async def logs(self, namespace: str, name: str, which: Literal["qemu", "serial"]) -> Path:
        """Where the log of the VMI's machine is; it may not exist yet."""
        uid = self._vmi(namespace, name).metadata.uid
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

    def _vm(self, namespace: str, name: str) -> VirtualMachine:
        vm = self._objects.find(VMS, namespace, name)
        if vm is None:
            raise refusals.not_found(name, refusals.VM)
        return vm

    def _vmi(self, namespace: str, name: str) -> VirtualMachineInstance:
        vmi = self._objects.find(VMIS, namespace, name)
        if vmi is None:
            raise refusals.not_found(name, refusals.VMI)
        return vmi

    def _vmi_of(self, vm: VirtualMachine) -> VirtualMachineInstance | None:
        vmi = self._objects.find(VMIS, vm.metadata.namespace, vm.metadata.name)
        return vmi if vmi is not None and factory.controls(vm.metadata.uid, vmi) else None

    def _for_pause(self, namespace: str, name: str) -> tuple[VirtualMachineInstance, Instance]:
        vmi = self._vmi(namespace, name)
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise conflict(name, refusals.VM_NOT_RUNNING)
        return vmi, instance

    def _with_agent(self, namespace: str, name: str) -> Instance:
        vmi = self._vmi(namespace, name)
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise conflict(name, "VMI is not running", refusals.VMI)
        if not instance.agent.connected:
            error = conflict(name, refusals.NO_AGENT, refusals.VMI)
            error.hint = "install and start qemu-guest-agent in the guest"
            raise error
        return instance

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
            if run_strategy.trim(found.status.state_change_requests, run_strategy.Life.of(self._vmi_of(found))):
                raise conflict(name, refusals.UNDERWAY)
            found.status.state_change_requests = requests
            return True

        await self._change(vm, change, status=True, dry_run=dry_run)

    async def _change(
        self, vm: VirtualMachine, change: Callable[[VirtualMachine], bool], *, status: bool, dry_run: bool
    ) -> None:
        namespace, name = vm.metadata.namespace, vm.metadata.name
        if dry_run:
            change(self._vm(namespace, name))
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
