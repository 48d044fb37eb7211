"""A guest's clock stands still with it; once it goes on, its agent sets it, beside the request that made it go on.

Source: KubeVirt and libvirt do the same (guest-set-time, then rtc-reset-reinjection). Must not know HTTP.
"""

from __future__ import annotations

import logging
import time

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
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


class GuestClocks:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._tasks = TaskSet("guest clocks")

    def mend(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """Returns at once. Guests without an agent are left alone."""
        if instance.agent.connected:
            self._tasks.spawn(self._mend(vmi, instance), f"clock of {instance.uid}")

    async def close(self) -> None:
        await self._tasks.close()

    async def wait(self) -> None:
        """Until all that was begun is done."""
        await self._tasks.wait()

    async def _mend(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        try:
            await instance.agent.command("guest-set-time", {"time": time.time_ns()}, timeout=PATIENCE)
            if (await schema_of(instance)).has_command(REINJECTION):
                await instance.qmp(REINJECTION)
        except SolovirtError as error:
            # Paused again, or gone: the next unpause sets it.
            if instance.run_state is RunState.RUNNING and instance.agent.connected:
                text = f"The guest's clock may be late by the time for which it was paused: {error}"
                self._site.events.warning(vmi, "ClockNotSet", text)
            else:
                log.debug("instance %s: clock not set: %s", instance.uid, error)
