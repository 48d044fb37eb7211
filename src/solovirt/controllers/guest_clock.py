"""A guest's clock stands still with it; once it goes on, its agent sets it, beside the request that made it go on.

Source: KubeVirt and libvirt do the same (guest-set-time, then rtc-reset-reinjection). Must not know HTTP.
"""

from __future__ import annotations

import logging
import time

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.records import CLOCKS, MachineRecords
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.qmpschema import schema_of
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import SolovirtError

log = logging.getLogger(__name__)

REINJECTION = "rtc-reset-reinjection"
"""Where there is one: ticks that the guest missed are not made up for, as the clock is right already."""
PATIENCE = 20.0
"""Seconds that an agent has: its guest has just woken up."""
LATE = 0.5
"""Seconds after which an answer means that the time was of the past already when the agent took it."""
ATTEMPTS = 3


class GuestClocks:
    """What is to be done is a record (``clocks``): a daemon that dies between both leaves it to the next."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._records = site.objects.records
        self._launches = MachineRecords(site.objects.records)
        self._tasks = TaskSet("guest clocks")

    async def intend(self, instance: Instance) -> None:
        """Before the guest goes on. Guests without an agent are left alone."""
        if not instance.agent.connected:
            return
        try:
            await self._records.put(CLOCKS, instance.uid, b"")
        except SolovirtError as error:
            # A full disk is no reason to stay paused.
            log.warning("instance %s: nobody else will know that its clock is to be set: %s", instance.uid, error)

    def mend(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """Once it runs. Returns at once."""
        if instance.agent.connected:
            self._tasks.spawn(self._mend(vmi, instance), f"clock of {instance.uid}")

    def agent_connected(self, instance: Instance) -> None:
        """Whoever let the guest go on did not come to set its clock: this daemon's forerunner, or a mute agent."""
        launch = self._launches.launch(instance.uid)
        if instance.run_state is not RunState.RUNNING or launch is None or not self._is_due(instance.uid):
            return
        vmi = self._site.objects.find(registry.VIRTUAL_MACHINE_INSTANCES, launch.namespace, launch.name)
        if vmi is not None and vmi.metadata.uid == instance.uid:
            self.mend(vmi, instance)

    async def close(self) -> None:
        await self._tasks.close()

    async def wait(self) -> None:
        """Until all that was begun is done."""
        await self._tasks.wait()

    async def _mend(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        try:
            await _set(instance)
            if (await schema_of(instance)).has_command(REINJECTION):
                await instance.qmp(REINJECTION)
        except SolovirtError as error:
            if instance.run_state is not RunState.RUNNING or not instance.agent.connected:
                # Paused again, or gone: the next unpause sets it, or who sees its agent again.
                log.debug("instance %s: clock not set: %s", instance.uid, error)
                return
            text = f"The guest's clock may be late by the time for which it was paused: {error}"
            self._site.events.warning(vmi, "ClockNotSet", text)
        await self._forget(instance.uid)

    def _is_due(self, uid: str) -> bool:
        return self._records.get(CLOCKS, uid) is not None

    async def _forget(self, uid: str) -> None:
        if self._is_due(uid):
            try:
                await self._records.delete(CLOCKS, uid)
            except SolovirtError as error:
                log.warning("instance %s: its clock will be set once more: %s", uid, error)


async def _set(instance: Instance) -> None:
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        await instance.agent.command("guest-set-time", {"time": time.time_ns()}, timeout=PATIENCE)
        if time.monotonic() - began < LATE:
            return
