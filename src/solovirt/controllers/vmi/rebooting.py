"""A reboot by the power button: the guest powers off, and is started again on the spot, as the same machine.

ACPI has no button for a reboot. So it is written down (``reboots`` records) that the next power-off is half of one,
then the button is pressed; whoever sees the guest off (this daemon or the next) resets the machine and lets it run.
Source: libvirt's "fake reboot", which KubeVirt uses.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.records import REBOOTS
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit import json
from solovirt.kit.errors import TimedOut

PATIENCE = 300.0
"""Seconds after which a power-off is the guest's own will again: it did not hear the button."""
RESET_PATIENCE = 10.0
LOOK = 0.05


class RebootRecord(msgspec.Struct, frozen=True, rename="camel"):
    """``deadline`` is on CLOCK_BOOTTIME: no QEMU outlives its host's boot."""

    deadline: float


class Reboots:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._records = site.objects.records

    async def press(self, instance: Instance) -> None:
        """Begins a reboot; returns when the button is pressed. Raises as ``Instance.powerdown``."""
        record = RebootRecord(time.clock_gettime(time.CLOCK_BOOTTIME) + PATIENCE)
        await self._records.put(REBOOTS, instance.uid, json.encode(record))
        await instance.powerdown()

    def is_due(self, uid: str) -> bool:
        """Whether a power-off of this machine is half of a reboot."""
        data = self._records.get(REBOOTS, uid)
        try:
            record = msgspec.json.decode(data, type=RebootRecord) if data is not None else None
        except msgspec.DecodeError:
            return False
        return record is not None and time.clock_gettime(time.CLOCK_BOOTTIME) < record.deadline

    async def forget(self, uid: str) -> None:
        if self._records.get(REBOOTS, uid) is not None:
            await self._records.delete(REBOOTS, uid)

    async def finish(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """Starts a guest again that has powered off. May be repeated. Raises ``GuestError``, ``TimedOut``."""
        deadline, told = time.monotonic() + RESET_PATIENCE, False
        # SHUTDOWN, then STOP; then RESET: each comes a moment before or after the run state has changed.
        while (state := await instance.status()) in (RunState.RUNNING, RunState.SHUTDOWN):
            if time.monotonic() > deadline:
                raise TimedOut(f"QEMU did not reset the machine within {RESET_PATIENCE:g} s: it is {state.value}")
            if state is RunState.SHUTDOWN and not told:
                await instance.qmp("system_reset")
                told = True
            else:
                await asyncio.sleep(LOOK)
        await self.forget(instance.uid)
        await instance.resume()
        self._site.events.normal(vmi, "Rebooted", "The guest powered off for a reboot and was started again.")
