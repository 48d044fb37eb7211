"""The VirtualMachine controller: makes a VM's DataVolumes and its VMI, ends the VMI, and says how the VM is.

Level-triggered: every call looks at what is there and does the next step; nothing is remembered between calls. Must not
know how a machine runs.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.find import types_of
from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachine, VirtualMachineStatus
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vm import backoff, factory, revisions, run_strategy, status
from solovirt.controllers.vm.run_strategy import Action, Decision, Life
from solovirt.controllers.vm.status import Failure, World
from solovirt.host import kept
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import AlreadyExists, NotFound, SolovirtError

log = logging.getLogger(__name__)

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES
PINS = "pins"
RESTART_REQUIRED = "RestartRequired"


@dataclass(frozen=True, slots=True)
class _Followed:
    """What was found when a VMI (``uid``) was made to follow its VM as of ``generation``."""

    generation: int
    uid: str
    outdated: bool


class VirtualMachines:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._objects = site.objects
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="vm")

    async def reconcile(self, key: Key) -> None:
        """The next step of one VM. What cannot be done is told in the status and tried again."""
        vm = self._objects.find(VMS, *key)
        if vm is None:
            return
        if vm.metadata.deletion_timestamp is not None:
            await self._end(vm)
            return
        if factory.VM_FINALIZER not in vm.metadata.finalizers:
            vm = await self._objects.modify(VMS, *key, lambda found: _add(found, factory.VM_FINALIZER))
        failure: Failure | None = None
        followed: _Followed | None = None
        try:
            followed = await self._step(vm)
        except SolovirtError as error:
            told = error.reason.startswith("Failed")
            failure = Failure(error.reason if told else "FailedReconcile", str(error))
            if not told:
                self._site.events.warning(vm, failure.reason, failure.message)
            self.queue.retry(key)
        except Exception:
            self._site.events.warning(vm, "FailedReconcile", "internal error; the daemon's log has the traceback")
            raise
        await self._write_status(key, failure, followed)

    async def _step(self, vm: VirtualMachine) -> _Followed | None:
        key = _key(vm)
        vm, missing = await self._keep_types(vm)
        vmi = self._vmi(vm)
        now = self._site.clock()
        strategy = run_strategy.strategy_of(vm.spec)
        failure = backoff.account(vm.status.start_failure, strategy, vmi, now)
        left = backoff.seconds_left(failure, now)
        ready = await self._provision(vm)
        decision = run_strategy.decide(vm.spec, Life.of(vmi), vm.status, backing_off=left > 0)

        def remember(found: VirtualMachine) -> bool:
            found.status.start_failure = failure
            found.status.run_strategy = decision.observed
            found.status.state_change_requests = _merged(found.status, vm.status, decision)
            return True

        vm = await self._objects.modify(VMS, *key, remember, status=True)
        if decision.postponed:
            self.queue.add_after(key, left)
        if (seconds := backoff.forgiven_in(failure, vmi, now)) is not None:
            self.queue.add_after(key, seconds)
        followed = await self._follow(vm, vmi)
        if missing is None or decision.action is not Action.CREATE:
            await self._act(vm, vmi, decision, ready)
        if missing is not None:
            raise missing
        return followed

    async def _keep_types(self, vm: VirtualMachine) -> tuple[VirtualMachine, SolovirtError | None]:
        """Snapshots of its instancetype and preference. Without them a VM can be stopped, and not started."""
        try:
            return await revisions.store(self._objects, vm), None
        except SolovirtError as error:
            self._site.events.warning(vm, error.reason, str(error))
            return vm, error

    async def _act(
        self, vm: VirtualMachine, vmi: VirtualMachineInstance | None, decision: Decision, ready: bool
    ) -> None:
        match decision.action:
            case Action.CREATE if ready:
                await self._create(vm, paused=decision.paused)
            case Action.DELETE if vmi is not None:
                await self._delete(vm, vmi)
            case Action.SET_ALWAYS:
                await self._objects.modify(VMS, *_key(vm), _set_always)
            case _:
                pass

    async def _follow(self, vm: VirtualMachine, vmi: VirtualMachineInstance | None) -> _Followed | None:
        """A VMI that exists learns what it can follow in place: where it may run, CPUs, memory, devices."""
        if vmi is None or not Life(vmi.metadata.uid, vmi.status.phase).going:
            return None
        types = self._types(vm)
        if types is None:
            return None
        followed: _Followed | None = None

        def change(found: VirtualMachineInstance) -> bool:
            nonlocal followed
            if found.metadata.uid != vmi.metadata.uid:
                return False
            update = factory.live_update(vm, found, types, self._objects)
            followed = _Followed(vm.metadata.generation, found.metadata.uid, update.outdated)
            if update.spec == found.spec:
                return False
            found.spec = update.spec
            return True

        try:
            await self._objects.modify(VMIS, *_key(vmi), change)
        except NotFound:
            return None
        return followed

    async def _create(self, vm: VirtualMachine, *, paused: bool) -> None:
        try:
            vmi = factory.make_vmi(vm, types_of(vm, self._objects), paused=paused)
            await self._objects.create(VMIS, vmi)
        except AlreadyExists as error:
            text = f"{vm.metadata.name}: a VMI of this name exists that does not belong to the VM"
            self._site.events.warning(vm, "FailedCreate", text)
            raise SolovirtError(text, reason="FailedCreate") from error
        except SolovirtError as error:
            self._site.events.warning(vm, "FailedCreate", f"Error creating virtual machine instance: {error}")
            raise SolovirtError(str(error), reason="FailedCreate") from error
        name = vm.metadata.name
        text = f"Started the virtual machine by creating the new virtual machine instance {name}"
        self._site.events.normal(vm, "SuccessfulCreate", text)

    async def _delete(self, vm: VirtualMachine, vmi: VirtualMachineInstance, grace: int | None = None) -> None:
        uid = vmi.metadata.uid
        try:
            await self._objects.delete(VMIS, *_key(vmi), uid=uid, grace_period=grace)
        except NotFound:
            return
        text = f"Stopped the virtual machine by deleting the virtual machine instance {uid}"
        self._site.events.normal(vm, "SuccessfulDelete", text)

    async def _provision(self, vm: VirtualMachine) -> bool:
        """Makes the DataVolumes of the templates. True once all of them are filled."""
        ready = True
        for template in vm.spec.data_volume_templates:
            namespace, name = vm.metadata.namespace, template.metadata.name
            found = self._objects.find(registry.DATA_VOLUMES, namespace, name)
            if found is None:
                volume = factory.make_data_volume(vm, template)
                try:
                    found = await self._objects.create(registry.DATA_VOLUMES, volume)
                except AlreadyExists:
                    found = self._objects.get(registry.DATA_VOLUMES, namespace, name)
                else:
                    self._site.events.normal(vm, "SuccessfulDataVolumeCreate", f"Created DataVolume {name}")
            ready = ready and found.status.phase == "Succeeded"
        return ready

    async def _end(self, vm: VirtualMachine) -> None:
        """The VM is being deleted: first its VMI goes, then what is kept for it, then the VM."""
        key = _key(vm)
        vmi = self._vmi(vm)
        if vmi is not None:
            if vmi.metadata.deletion_timestamp is None:
                await self._delete(vm, vmi, vm.metadata.deletion_grace_period_seconds)
            await self._write_status(key, None)
            return
        await self._objects.records.delete(PINS, vm.metadata.uid)
        await asyncio.to_thread(kept.discard, self._site.paths, vm.metadata.uid)
        try:
            await self._objects.modify(VMS, *key, lambda found: _remove(found, factory.VM_FINALIZER))
        except NotFound:
            pass

    async def _write_status(self, key: Key, failure: Failure | None, followed: _Followed | None = None) -> None:
        vm = self._objects.find(VMS, *key)
        if vm is None:
            return
        vmi = self._vmi(vm)
        now = self._site.clock()
        world = World(
            vm=vm,
            vmi=vmi,
            data_volumes=self._data_volumes(vm),
            unbound_claim=self._has_unbound_claim(vm),
            failure=failure,
            restart_required=vmi is not None and Life.of(vmi) is not None and self._outdated(vm, vmi, followed),
            backing_off=backoff.seconds_left(vm.status.start_failure, now) > 0,
        )
        new = status.compute(world, self._site.now())

        def change(found: VirtualMachine) -> bool:
            # What was asked for meanwhile is not this call's to judge.
            new.state_change_requests = found.status.state_change_requests
            new.memory_dump_request = found.status.memory_dump_request
            new.desired_generation = found.metadata.generation
            new.instancetype_ref, new.preference_ref = found.status.instancetype_ref, found.status.preference_ref
            found.status = new
            return True

        try:
            await self._objects.modify(VMS, *key, change, status=True)
        except NotFound:
            pass

    def _outdated(self, vm: VirtualMachine, vmi: VirtualMachineInstance, followed: _Followed | None) -> bool:
        if not Life(vmi.metadata.uid, vmi.status.phase).going:
            return False
        if any((one.status, one.reason) == ("False", RESTART_REQUIRED) for one in vmi.status.conditions):
            return True  # What the running machine turned out not to be able to follow.
        if followed is not None and (followed.generation, followed.uid) == (vm.metadata.generation, vmi.metadata.uid):
            return followed.outdated
        types = self._types(vm)
        return types is not None and factory.live_update(vm, vmi, types, self._objects).outdated

    def _types(self, vm: VirtualMachine) -> Types | None:
        """None where something is missing, which ``_keep_types`` tells."""
        try:
            return types_of(vm, self._objects)
        except SolovirtError:
            return None

    def _vmi(self, vm: VirtualMachine) -> VirtualMachineInstance | None:
        vmi = self._objects.find(VMIS, *_key(vm))
        return vmi if vmi is not None and factory.controls(vm.metadata.uid, vmi) else None

    def _data_volumes(self, vm: VirtualMachine) -> list[DataVolume | None]:
        names = [template.metadata.name for template in vm.spec.data_volume_templates]
        return [self._objects.find(registry.DATA_VOLUMES, vm.metadata.namespace, name) for name in names]

    def _has_unbound_claim(self, vm: VirtualMachine) -> bool:
        for volume in vm.spec.template.spec.volumes:
            if volume.persistent_volume_claim is None:
                continue
            name = volume.persistent_volume_claim.claim_name
            claim = self._objects.find(registry.PERSISTENT_VOLUME_CLAIMS, vm.metadata.namespace, name)
            if claim is not None and claim.status.phase != "Bound":
                return True
        return False


def _key(obj: VirtualMachine | VirtualMachineInstance) -> Key:
    return (obj.metadata.namespace, obj.metadata.name)


def _merged(present: VirtualMachineStatus, seen: VirtualMachineStatus, decision: Decision) -> list[StateChangeRequest]:
    """The decision's requests, and those that were added after it was made."""
    known = len(seen.state_change_requests)
    if present.state_change_requests[:known] != seen.state_change_requests:
        return present.state_change_requests
    return [*decision.requests, *present.state_change_requests[known:]]


def _set_always(vm: VirtualMachine) -> bool:
    if run_strategy.strategy_of(vm.spec) != run_strategy.HALTED:
        return False
    if vm.spec.run_strategy:
        vm.spec.run_strategy = run_strategy.ALWAYS
    else:
        vm.spec.running = True
    return True


def _add(vm: VirtualMachine, finalizer: str) -> bool:
    if finalizer in vm.metadata.finalizers or vm.metadata.deletion_timestamp is not None:
        return False
    vm.metadata.finalizers.append(finalizer)
    return True


def _remove(vm: VirtualMachine, finalizer: str) -> bool:
    if finalizer not in vm.metadata.finalizers:
        return False
    vm.metadata.finalizers.remove(finalizer)
    return True
