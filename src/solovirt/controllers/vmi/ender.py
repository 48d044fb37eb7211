"""The end of a VMI: asking the guest to go, the deadline, what is cleaned up. Every step may be repeated.

Source: kubevirt pkg/virt-handler/vm.go, ``processVmShutdown``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import datetime, timedelta

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vmi import pins
from solovirt.controllers.vmi.machines import Machines
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.controllers.vmi.users import Users
from solovirt.host import kept
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit import timestamps
from solovirt.kit.errors import NotFound, SolovirtError

log = logging.getLogger(__name__)

VMIS = registry.VIRTUAL_MACHINE_INSTANCES
DEFAULT_GRACE = 30
ASK_AGAIN = 5.0
"""Seconds between two presses of the power button: a guest that is still booting does not hear the first one."""
_HOPELESS = (RunState.PRELAUNCH, RunState.IO_ERROR, RunState.INTERNAL_ERROR, RunState.GUEST_PANICKED)
"""States in which a guest cannot shut itself down, or has nothing to shut down."""


def grace_of(vmi: VirtualMachineInstance) -> int:
    """Seconds that the guest has: what the deletion said, else the spec, else 30."""
    asked = vmi.metadata.deletion_grace_period_seconds
    if asked is not None:
        return asked
    given = vmi.spec.termination_grace_period_seconds
    return given if given is not None else DEFAULT_GRACE


def deadline_of(vmi: VirtualMachineInstance) -> datetime:
    """When a guest that is being deleted has to be gone. Computed anew each time, so that it outlives the daemon."""
    began = timestamps.parse(vmi.metadata.deletion_timestamp or timestamps.now())
    grace = grace_of(vmi)
    # Timestamps are whole seconds, cut: never end a guest earlier than was promised.
    return began + timedelta(seconds=grace + 1 if grace else 0)


def has_acpi(vmi: VirtualMachineInstance) -> bool:
    features = vmi.spec.domain.features
    return features is None or features.acpi is None or features.acpi.enabled is not False


class Ender:
    def __init__(self, site: Site, records: MachineRecords, machines: Machines, users: Users) -> None:
        self._site = site
        self._records = records
        self._machines = machines
        self._users = users
        self._asked: dict[str, float] = {}

    async def ask(self, vmi: VirtualMachineInstance, instance: Instance) -> float:
        """Asks the guest to shut down, again and again until the deadline; the seconds until the next step.

        0: there is nothing to wait for (any more).
        """
        left = (deadline_of(vmi) - self._site.clock()).total_seconds()
        if left <= 0 or instance.run_state in _HOPELESS:
            return 0.0
        if not has_acpi(vmi) and not instance.agent.connected:
            return 0.0
        uid, now = vmi.metadata.uid, time.monotonic()
        before = self._asked.get(uid)
        if before is None:
            self._site.events.normal(vmi, "ShuttingDown", "Signaled Graceful Shutdown")
        if before is None or now - before >= ASK_AGAIN:
            self._asked[uid] = now
            await self._signal(vmi, instance, first=before is None)
        return min(left, ASK_AGAIN)

    async def _signal(self, vmi: VirtualMachineInstance, instance: Instance, *, first: bool) -> None:
        try:
            if instance.run_state is RunState.PAUSED:
                await instance.resume()
            if self._records.is_frozen(vmi.metadata.uid):
                # A guest that cannot write cannot shut down.
                with contextlib.suppress(SolovirtError):
                    await instance.agent.command("guest-fsfreeze-thaw", timeout=5)
            if has_acpi(vmi):
                await instance.powerdown()
            if first and instance.agent.connected:
                await instance.agent.command("guest-shutdown", {"mode": "powerdown"}, timeout=3)
        except SolovirtError as error:
            log.info("instance %s: asking it to shut down: %s", instance.uid, error)

    async def stop(self, vmi: VirtualMachineInstance, instance: Instance | None) -> None:
        """Ends QEMU and takes its rights; what is in the VMI's directory stays."""
        uid = vmi.metadata.uid
        if instance is not None:
            await self._machines.end(instance)
        await self._users.revoke(uid)
        await self._machines.remove(uid)

    async def clean_up(self, vmi: VirtualMachineInstance, finalizer: str) -> None:
        """Leaves nothing of the VMI and lets the object go."""
        uid = vmi.metadata.uid
        await self.discard(uid)
        if pins.key(vmi) == uid:
            await self._records.drop_pins(uid)
            await asyncio.to_thread(kept.discard, self._site.paths, uid)
        self._asked.pop(uid, None)
        self._site.events.normal(vmi, "Deleted", "Signaled Deletion")

        def release(found: VirtualMachineInstance) -> bool:
            if found.metadata.uid != uid or finalizer not in found.metadata.finalizers:
                return False
            found.metadata.finalizers.remove(finalizer)
            return True

        try:
            await self._site.objects.modify(VMIS, *_key(vmi), release)
        except NotFound:
            pass

    async def discard(self, uid: str) -> None:
        """Process, sockets, rights, files, records: in the order in which nothing can be lost track of."""
        await self._users.revoke(uid)
        await self._machines.remove(uid)
        await self._site.volumes.discard(uid)
        await self._users.give_back(uid)
        await self._records.drop_machine(uid)
        self._machines.forget(uid)


def _key(vmi: VirtualMachineInstance) -> Key:
    return (vmi.metadata.namespace, vmi.metadata.name)
