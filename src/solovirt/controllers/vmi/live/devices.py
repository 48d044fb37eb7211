"""Filesystems and the watchdog as one concern: they share a condition."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.controllers.vmi.live import filesystems, watchdog
from solovirt.controllers.vmi.live.concern import Report, Update, beyond_compute
from solovirt.controllers.vmi.live.outcome import Outcome, together

CONDITION = "DevicesChange"


class Devices:
    name = "devices"

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return beyond_compute(spec)

    async def apply(self, update: Update) -> Report:
        outcome = Outcome(update, CONDITION)
        await together(filesystems.apply(update, outcome), watchdog.apply(update, outcome))
        return outcome.report()
