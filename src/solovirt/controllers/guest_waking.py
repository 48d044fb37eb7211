"""Waking up takes several steps, and the machine stands still between them: a daemon that dies there leaves a record
(``wakes``), and the next one does the rest. Must not know HTTP.
"""

from __future__ import annotations

import logging

from solovirt.controllers.site import Site
from solovirt.controllers.vmi.records import WAKES
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, SolovirtError

log = logging.getLogger(__name__)


class GuestWaking:
    def __init__(self, site: Site) -> None:
        self._records = site.objects.records
        self._hypervisor = site.hypervisor

    async def wake(self, instance: Instance) -> None:
        """Raises as ``Instance.wakeup``."""
        await self._records.put(WAKES, instance.uid, b"")
        try:
            await instance.wakeup()
        except GuestError:
            await self.forget(instance.uid)
            raise
        # After anything else nobody knows how far it came.
        await self.forget(instance.uid)

    async def forget(self, uid: str) -> None:
        if self._records.get(WAKES, uid) is not None:
            await self._records.delete(WAKES, uid)

    async def resume(self) -> None:
        """Once the machines are found again. Those that sleep on had not heard of it."""
        for uid in self._records.list(WAKES):
            instance = self._hypervisor.get(uid)
            if instance is None:
                continue
            try:
                if instance.run_state in (RunState.PAUSED, RunState.RUNNING):
                    await instance.finish_wakeup()
                await self.forget(uid)
            except SolovirtError as error:
                log.warning("instance %s did not wake up: %s", uid, error)
