"""Filesystems and the watchdog as one concern: they share a condition."""

from __future__ import annotations

from solovirt.controllers.vmi.live import filesystems, watchdog
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.controllers.vmi.live.outcome import Outcome, together

CONDITION = "DevicesChange"


class Devices:
    name = "devices"

    async def apply(self, update: Update) -> Report:
        outcome = Outcome(update, CONDITION)
        await together(filesystems.apply(update, outcome), watchdog.apply(update, outcome))
        return outcome.report()
