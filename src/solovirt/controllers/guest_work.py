"""What goes on inside guests for longer than one answer: programs, copies, freezes. Begun, ended, taken over. Must not
know HTTP.
"""

from __future__ import annotations

import contextlib

from solovirt.controllers import guest_handles
from solovirt.controllers.guest_exec import GuestExecs
from solovirt.controllers.guest_files import GuestFiles
from solovirt.controllers.guest_freeze import GuestFreezer
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import SolovirtError


class GuestWork:
    def __init__(self, site: Site, targets: Targets, vmis: VirtualMachineInstances) -> None:
        self.execs = GuestExecs(site, targets)
        self.files = GuestFiles(site, targets)
        self.freezer = GuestFreezer(site, targets, vmis)
        self._records = site.objects.records
        self._vmis = vmis
        self._tasks = TaskSet("guest work")

    async def resume(self) -> None:
        """Once the machines are found again: what an earlier daemon began and could not end."""
        await self.freezer.resume()
        for uid, handles in guest_handles.stale(self._records).items():
            instance = self._vmis.machines.known(uid)
            if instance is not None and instance.agent.connected:
                work = guest_handles.close_stale(self._records, uid, handles, instance.agent)
                self._tasks.spawn(work, f"handles of {uid}")

    async def close(self) -> None:
        """While the machines can still be talked to. Nothing that shall go on is ended."""
        await self._tasks.close()
        with contextlib.suppress(SolovirtError):
            await self.execs.close()
            await self.files.close()
        await self.freezer.close()
