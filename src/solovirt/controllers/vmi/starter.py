"""A VMI on its way to a machine: waiting for what it refers to, preparing, launching.

Every step looks at what is there; a failure is told in the Synchronized condition and tried again later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.compile.options import Machine
from solovirt.controllers.jobs import Jobs
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vmi import status
from solovirt.controllers.vmi.launcher import Launcher, Prepared
from solovirt.controllers.vmi.lookup import Missing, missing
from solovirt.controllers.vmi.scheduler import Scheduler
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import HostError, SolovirtError, TimedOut

VMIS = registry.VIRTUAL_MACHINE_INSTANCES

PATIENCE = 0.25
"""Seconds that a step waits for a preparation that is nearly always short; longer ones go on beside the queue."""
LOOK_AGAIN = 30.0
_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "InvalidImage", "InvalidImagePullSecret"}
)
_FIRST_DELAY, _LAST_DELAY = 5.0, 120.0
_ERR_SHOWN = 2.0
"""Seconds after which ErrImagePull is shown as ImagePullBackOff, as the kubelet alternates them."""


@dataclass(slots=True)
class _Trouble:
    """Failures in a row of one VMI's start; ``until`` and ``shown`` are of the monotonic clock."""

    error: SolovirtError
    count: int
    until: float
    shown: float


WriteStatus = Callable[[VirtualMachineInstance, Callable[[VirtualMachineInstance], None]], Awaitable[None]]
"""Changes the status of a VMI, unless it is gone or another of its name is there."""


class Starter:
    """``waiting`` has the VMIs, by namespace, that wait for other objects."""

    def __init__(
        self, site: Site, launcher: Launcher, scheduler: Scheduler, wake: Callable[[Key], None], write: WriteStatus
    ) -> None:
        self._site = site
        self._launcher = launcher
        self._scheduler = scheduler
        self._wake = wake
        self._unplaced: dict[str, Key] = {}
        self._write = write
        self._keys: dict[str, Key] = {}
        self._jobs: Jobs[str, tuple[VirtualMachineInstanceSpec, Prepared]] = Jobs(lambda uid: wake(self._keys[uid]))
        self._troubles: dict[str, _Trouble] = {}
        self.waiting: dict[str, set[str]] = {}
        self.queue: SerialQueues[Key] | None = None

    async def step(self, vmi: VirtualMachineInstance) -> Instance | None:
        """The machine, if this step started it."""
        uid, key = vmi.metadata.uid, _key(vmi)
        self._keys[uid] = key
        if await self._held_up(vmi):
            return None
        found = await self._prepared(vmi)
        if found is None:
            return None
        prepared, machine = found
        self._troubles.pop(uid, None)

        async def announce() -> None:
            await self._write(vmi, lambda found: status.wait(found.status, status.SCHEDULED, "", "", self._now()))

        try:
            return await self._launcher.launch(vmi, prepared, machine, announce)
        except (HostError, TimedOut) as error:
            await self._launch_failed(vmi, error)
            return None

    async def _prepared(self, vmi: VirtualMachineInstance) -> tuple[Prepared, Machine] | None:
        """Everything that is needed to start it; None while it is not there."""
        uid, key = vmi.metadata.uid, _key(vmi)
        job = self._jobs.get(uid)
        if job is None:
            if await self._still_in_trouble(vmi):
                return None
            job = self._jobs.start(uid, self._prepare(vmi))
        done, _ = await asyncio.wait({job}, timeout=PATIENCE)
        if not done:
            await self._write(vmi, lambda found: status.wait(found.status, status.SCHEDULING, "", "", self._now()))
            return None
        try:
            spec, prepared = self._jobs.take(uid)
            if spec != vmi.spec:
                # It changed meanwhile. What was fetched is there; the rest is done again.
                self._wake(key)
                return None
            return prepared, self._launcher.compile(vmi, prepared)
        except SolovirtError as error:
            await self._failed(vmi, error)
            return None

    async def _prepare(self, vmi: VirtualMachineInstance) -> tuple[VirtualMachineInstanceSpec, Prepared]:
        """With the spec for which it is."""
        return vmi.spec, await self._launcher.prepare(vmi)

    async def _held_up(self, vmi: VirtualMachineInstance) -> bool:
        """Whether it waits for other objects, or for a place on this host."""
        problems = missing(vmi, self._site.objects)
        if problems:
            await self._wait_for(vmi, problems)
            return True
        self._not_waiting(_key(vmi))
        obstacle = self._scheduler.place(vmi)
        if obstacle is not None:
            await self._unschedulable(vmi, obstacle.message)
            return True
        self._unplaced.pop(vmi.metadata.uid, None)
        return False

    async def forget(self, uid: str) -> None:
        """Ends the preparation, if one is under way."""
        self._unplaced.pop(uid, None)
        await self._jobs.cancel(uid)
        self._launcher.forget(uid)
        self._troubles.pop(uid, None)
        key = self._keys.pop(uid, None)
        if key is not None:
            self._not_waiting(key)

    def room(self) -> None:
        """Something of the host has become free: look again at those that found no place."""
        for key in self._unplaced.values():
            self._wake(key)

    def imported(self) -> None:
        """An image was imported: look again at those whose image could not be pulled, before their time."""
        for uid, trouble in self._troubles.items():
            if trouble.error.reason in _IMAGE_REASONS:
                trouble.until = 0.0
                self._wake(self._keys[uid])

    async def close(self) -> None:
        await self._jobs.close()

    async def _wait_for(self, vmi: VirtualMachineInstance, problems: list[Missing]) -> None:
        namespace, name = _key(vmi)
        self.waiting.setdefault(namespace, set()).add(name)
        text = "; ".join(problem.message for problem in problems)
        volumes = "; ".join(problem.message for problem in problems if problem.storage)
        first = problems[0]

        def change(found: VirtualMachineInstance) -> None:
            status.wait(found.status, status.PENDING, first.reason, text, self._now())
            status.data_volumes(found.status, volumes, self._now())

        if not _shows(vmi, first.reason, text):
            self._site.events.warning(vmi, first.reason, text)
        await self._write(vmi, change)
        self._later(vmi, LOOK_AGAIN)

    async def _unschedulable(self, vmi: VirtualMachineInstance, message: str) -> None:
        self._unplaced[vmi.metadata.uid] = _key(vmi)
        shown = any((one.type, one.message) == (status.POD_SCHEDULED, message) for one in vmi.status.conditions)
        if not shown:
            self._site.events.warning(vmi, "FailedScheduling", message)
        await self._write(vmi, lambda found: status.unschedulable(found.status, message, self._now()))
        self._later(vmi, LOOK_AGAIN)

    def _not_waiting(self, key: Key) -> None:
        names = self.waiting.get(key[0], set())
        names.discard(key[1])
        if not names:
            self.waiting.pop(key[0], None)

    async def _still_in_trouble(self, vmi: VirtualMachineInstance) -> bool:
        """Whether the back-off of an earlier failure goes on."""
        trouble = self._troubles.get(vmi.metadata.uid)
        now = time.monotonic()
        if trouble is None or trouble.until <= now:
            return False
        if trouble.error.reason in _IMAGE_REASONS and now - trouble.shown >= _ERR_SHOWN:
            text = f"Back-off pulling image: {trouble.error}"
            await self._tell(vmi, "ImagePullBackOff", text)
        self._later(vmi, trouble.until - now)
        return True

    async def _failed(self, vmi: VirtualMachineInstance, error: SolovirtError) -> None:
        uid, now = vmi.metadata.uid, time.monotonic()
        before = self._troubles.get(uid)
        count = before.count + 1 if before is not None else 1
        delay = min(_FIRST_DELAY * 2.0 ** (count - 1), _LAST_DELAY)
        self._troubles[uid] = _Trouble(error, count, now + delay, now)
        if error.reason in _IMAGE_REASONS:
            self._site.events.warning(vmi, "Failed", str(error))
            await self._tell(vmi, "ErrImagePull", str(error))
            self._later(vmi, _ERR_SHOWN + 0.1)
            return
        self._site.events.warning(vmi, "SyncFailed", str(error))
        await self._tell(vmi, error.reason, str(error))
        self._later(vmi, delay)

    async def _tell(self, vmi: VirtualMachineInstance, reason: str, message: str) -> None:
        await self._write(vmi, lambda found: status.wait(found.status, status.SCHEDULING, reason, message, self._now()))

    async def _launch_failed(self, vmi: VirtualMachineInstance, error: SolovirtError) -> None:
        """QEMU does not take the machine: it has failed. Whoever owns the VMI may try again."""
        self._site.events.warning(vmi, "SyncFailed", f"server error. command SyncVMI failed: {error}")
        await self._write(vmi, lambda found: status.finish(found.status, status.FAILED, error.reason, self._now()))

    def _later(self, vmi: VirtualMachineInstance, seconds: float) -> None:
        if self.queue is not None:
            self.queue.add_after(_key(vmi), seconds)

    def _now(self) -> str:
        return self._site.now()


def _shows(vmi: VirtualMachineInstance, reason: str, message: str) -> bool:
    return any(
        (found.type, found.reason, found.message) == ("Synchronized", reason, message)
        for found in vmi.status.conditions
    )


def _key(vmi: VirtualMachineInstance) -> Key:
    return (vmi.metadata.namespace, vmi.metadata.name)
