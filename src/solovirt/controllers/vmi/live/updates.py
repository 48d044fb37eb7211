"""Machines follow their specs while they run: one job a machine, its concerns side by side.

A job begins when the spec is not what the machine was last made to be, when this daemon sees the machine for the first
time, and when something happened that may help (the agent came, the guest was reset). After a change of the spec only
the concerns that it is about, and those that had something to say, look at the machine: each question keeps QEMU from
the others. Must not write the VMI object.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.jobs import Jobs
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.live.concern import NOTHING, Concern, Report, Update, combined
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import SolovirtError

log = logging.getLogger(__name__)

AGAIN = 30.0
"""Seconds until an attempt is repeated that failed for a reason that may pass."""


@dataclass(slots=True)
class _Machine:
    """``done`` is the spec that the machine was last made to follow; ``due`` when to look again (monotonic)."""

    done: VirtualMachineInstanceSpec | None = None
    doing: VirtualMachineInstanceSpec | None = None
    due: float | None = None
    reports: dict[str, Report] = field(default_factory=dict)


class LiveUpdates:
    """``wake(uid)`` is called when there is something new to show; ``later(uid, seconds)`` asks for a look then."""

    def __init__(
        self,
        site: Site,
        records: MachineRecords,
        concerns: Sequence[Concern],
        wake: Callable[[str], None],
        later: Callable[[str, float], None],
    ) -> None:
        self._site = site
        self._records = records
        self._concerns = concerns
        self._wake = wake
        self._later = later
        self._machines: dict[str, _Machine] = {}
        self._jobs: Jobs[str, None] = Jobs(wake)

    def started(self, uid: str, spec: VirtualMachineInstanceSpec) -> None:
        """The machine was started from this very spec: there is nothing to compare."""
        self._machines[uid] = _Machine(done=spec)

    def report(self, uid: str) -> Report:
        """What is to be shown of the machine."""
        machine = self._machines.get(uid)
        return combined(machine.reports) if machine is not None else NOTHING

    def follow(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """Begins what is to be done, unless it is under way. Returns at once."""
        uid = vmi.metadata.uid
        machine = self._machines.setdefault(uid, _Machine())
        job = self._jobs.get(uid)
        if job is not None:
            if not job.done():
                return
            self._finish(uid, machine)
        due = machine.due is not None and machine.due <= time.monotonic()
        if machine.done == vmi.spec and not due:
            if machine.due is not None:
                # Asked for once more: of several waiting times of a VMI only the shortest is kept.
                self._later(uid, machine.due - time.monotonic())
            return
        concerned = self._concerns if due else self._concerned(machine, vmi.spec)
        machine.doing, machine.due = vmi.spec, None
        self._jobs.start(uid, self._apply(vmi, instance, machine, concerned))

    def retry(self, uid: str) -> None:
        """Something happened that may help where an attempt failed, or undo what was done."""
        machine = self._machines.get(uid)
        if machine is not None and any(report != NOTHING for report in machine.reports.values()):
            machine.due = time.monotonic()
            self._wake(uid)

    def look(self, uid: str) -> None:
        """The machine lost a device, asked to or not: what is there is compared with the spec once more."""
        machine = self._machines.get(uid)
        if machine is not None:
            machine.due = time.monotonic()
            self._wake(uid)

    async def forget(self, uid: str) -> None:
        """The machine is gone: what is under way ends."""
        self._machines.pop(uid, None)
        await self._jobs.cancel(uid)

    async def close(self) -> None:
        """Ends all jobs, at whatever they are: the next daemon looks at what stands."""
        await self._jobs.close()

    def _finish(self, uid: str, machine: _Machine) -> None:
        machine.done, machine.doing = machine.doing, None
        again = combined(machine.reports).again
        if again is not None:
            later = time.monotonic() + again
            # What happened while it was under way may be due already.
            machine.due = later if machine.due is None else min(machine.due, later)
            self._later(uid, again)
        self._jobs.take(uid)

    def _concerned(self, machine: _Machine, spec: VirtualMachineInstanceSpec) -> Sequence[Concern]:
        done = machine.done
        if done is None:
            return self._concerns
        return [
            concern
            for concern in self._concerns
            if concern.part(spec) != concern.part(done) or _is_open(machine.reports.get(concern.name, NOTHING))
        ]

    async def _apply(
        self, vmi: VirtualMachineInstance, instance: Instance, machine: _Machine, concerns: Sequence[Concern]
    ) -> None:
        turn = asyncio.Lock()
        await asyncio.gather(*(self._one(concern, vmi, instance, machine, turn) for concern in concerns))

    async def _one(
        self, concern: Concern, vmi: VirtualMachineInstance, instance: Instance, machine: _Machine, turn: asyncio.Lock
    ) -> None:
        def tell(report: Report) -> None:
            machine.reports[concern.name] = report
            self._wake(vmi.metadata.uid)

        update = Update(self._site, self._records, vmi, instance, tell, turn)
        try:
            report = await concern.apply(update)
        except SolovirtError as error:
            if not instance.has_exited:
                log.warning("instance %s: %s: %s", instance.uid, concern.name, error)
                self._site.events.warning(vmi, "LiveUpdateFailed", f"{concern.name}: {error}")
            before = machine.reports.get(concern.name, NOTHING)
            report = replace(before, again=AGAIN)
        machine.reports[concern.name] = report


def _is_open(report: Report) -> bool:
    """Whether it waits for something, or was refused it: another change may help."""
    return bool(report.conditions or report.volumes) or report.again is not None
