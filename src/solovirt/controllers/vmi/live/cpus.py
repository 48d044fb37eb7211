"""vCPUs in place: whole sockets come and go, the guest takes them on line and off.

A change is made whole or not at all: what the guest refuses puts back the rest of it. The machine's first socket always
stays. Emulated vCPUs (TCG) come and never go: QEMU 7.2 keeps using the memory of a vCPU that its emulator lost, and
crashes on the next device. They are parked: the guest takes them off line, by its agent, and on line when wanted again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import CPUTopology
from solovirt.api.meta import Condition
from solovirt.controllers.vmi.live.concern import NOTHING, Report, Update
from solovirt.hypervisor import cpus
from solovirt.hypervisor.cpus import Place
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.plugging import REFUSED, TIMED_OUT
from solovirt.kit.aio import poll
from solovirt.kit.errors import GuestError

KIND = "HotVCPUChange"
TAKE_TIMEOUT, GIVE_TIMEOUT = 10.0, 15.0
"""Seconds that a guest has to answer, for all vCPUs of a change: to take them, to let them go."""
ONLINE_TIMEOUT = 5.0
"""Seconds until it is helped with taking new ones on line, and again until that is given up."""
PAUSED_AGAIN = 2.0
PARKED_AGAIN = 60.0
"""A guest that was rebooted takes all its CPUs on line."""


class CPUs:
    name = "cpus"

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return spec.domain.cpu

    async def apply(self, update: Update) -> Report:
        return await _Change(update).run()


class _Change:
    """From the sockets that are there to those of the spec. Counts are of vCPUs unless they say otherwise."""

    def __init__(self, update: Update) -> None:
        self._update = update
        self._instance = update.instance
        cpu = update.vmi.spec.domain.cpu
        self._sockets = (cpu.sockets if cpu is not None else None) or 1
        self._cores = (cpu.cores if cpu is not None else None) or 1
        self._threads = (cpu.threads if cpu is not None else None) or 1
        self._emulated = False

    @property
    def _wanted(self) -> int:
        return self._sockets * self._cores * self._threads

    async def run(self) -> Report:
        places = await cpus.places(self._instance)
        if not places:
            return NOTHING
        self._emulated = await cpus.emulated(self._instance)
        there = self._there(places)
        missing = [place for place in places if not place.path and place.socket < self._sockets]
        surplus = [place for place in places if place.path and place.socket >= self._sockets]
        running = self._instance.run_state is RunState.RUNNING
        fits = there == self._sockets and (self._emulated or not surplus)
        if not missing and (await self._is_right(surplus) if running else fits):
            return self._done(surplus)
        if not running:
            text = "waits until the guest runs"
            return Report((self._condition("True", "Paused", text),), self._topology(there), again=PAUSED_AGAIN)
        text = f"{self._describe(there)} become {self._describe(self._sockets)}"
        self._update.tell(Report((self._condition("True", "InProgress", text),), self._topology(there)))
        try:
            if missing:
                await self._add(missing)
            if self._emulated and (surplus or not missing):
                await self._park(self._wanted)
            elif surplus:
                await self._take_away(surplus)
        except GuestError as error:
            return await self._refused(error, there)
        self._tell_done(there)
        return self._done(surplus)

    def _done(self, surplus: Sequence[Place]) -> Report:
        return Report(
            topology=self._topology(self._sockets), again=PARKED_AGAIN if surplus and self._emulated else None
        )

    async def _is_right(self, surplus: Sequence[Place]) -> bool:
        """Whether nothing is to be done, where no vCPU is missing. The guest of an emulated machine is asked what it
        has on line; one that cannot be asked is taken to have all."""
        if not self._emulated:
            return not surplus
        seen = await cpus.seen(self._instance)
        if seen is None:
            # What was parked before the guest was rebooted is parked again once its agent is there.
            shown = self._update.vmi.status.current_cpu_topology
            return not surplus or (shown is not None and shown.sockets == self._sockets)
        return sum(one.online for one in seen) == self._wanted

    # Up

    async def _add(self, missing: Sequence[Place]) -> None:
        before = {place.number for place in await cpus.places(self._instance) if place.path}
        try:
            said = await cpus.plug(self._instance, missing, timeout=TAKE_TIMEOUT)
        except GuestError:
            await self._undo_add(before)
            raise
        refused = [text for text in said.values() if text != cpus.NO_ANSWER]
        if refused:
            await self._undo_add(before)
            raise GuestError(f"the guest does not take the new vCPUs: {refused[0]}", reason=REFUSED)
        await self._online()

    async def _undo_add(self, before: set[int]) -> None:
        """Best effort: a guest that refused one may keep another."""
        new = [place for place in await cpus.places(self._instance) if place.path and place.number not in before]
        if not self._emulated:
            await cpus.unplug(self._instance, new, timeout=GIVE_TIMEOUT)
            return
        with contextlib.suppress(GuestError):
            await self._park(len(before))

    async def _online(self, patience: float = ONLINE_TIMEOUT) -> None:
        """The guest does it by itself within moments, or is helped; one without an agent is believed."""

        async def enough() -> bool:
            found = await cpus.seen(self._instance)
            return found is None or sum(one.online for one in found) >= self._wanted

        if await poll(enough, patience):
            return
        found = await cpus.seen(self._instance) or ()
        short = self._wanted - sum(one.online for one in found)
        off = [one.number for one in found if not one.online][: max(short, 0)]
        said = await cpus.set_online(self._instance, off, online=True)
        if not await poll(enough, ONLINE_TIMEOUT) and said:
            text = f"the guest has the new vCPUs, and does not use them: {said}"
            self._update.site.events.warning(self._update.vmi, "VCPUsOffline", text)

    # Down

    async def _take_away(self, surplus: Sequence[Place]) -> None:
        order = sorted(surplus, key=lambda place: -place.number)
        kept = await cpus.unplug(self._instance, order, timeout=GIVE_TIMEOUT)
        if not kept:
            return
        helped = await self._offline(len(kept))
        if helped:
            again = [place for place in order if place.number in kept]
            kept = await cpus.unplug(self._instance, again, timeout=GIVE_TIMEOUT)
            if not kept:
                return
        await self._put_back(order, kept, helped)
        said = next((text for text in kept.values() if text != cpus.NO_ANSWER), "")
        if said:
            raise GuestError(f"the guest keeps its vCPUs: {said}", reason=REFUSED)
        text = f"the guest did not let its vCPUs go within {GIVE_TIMEOUT:g} s"
        raise GuestError(text, reason=TIMED_OUT, hint="it may still be booting, or cannot unplug CPUs")

    async def _offline(self, count: int) -> list[int]:
        """Has the guest's last CPUs taken off line by its agent; those that were."""
        seen = await cpus.seen(self._instance) or ()
        last = [one.number for one in reversed(seen) if one.online and one.can_offline][:count]
        if len(last) < count or await cpus.set_online(self._instance, last, online=False):
            await cpus.set_online(self._instance, last, online=True)
            return []
        return last

    async def _put_back(self, order: Sequence[Place], kept: object, helped: Sequence[int]) -> None:
        await cpus.set_online(self._instance, helped, online=True)
        empty = {place.number for place in await cpus.places(self._instance) if not place.path}
        gone = [place for place in order if place.number in empty]
        if gone:
            await cpus.plug(self._instance, gone, timeout=TAKE_TIMEOUT)

    async def _park(self, count: int) -> None:
        """Leaves ``count`` CPUs on line in the guest. Raises ``GuestError`` when it does not do it; all are as before
        then."""
        seen = await cpus.seen(self._instance)
        if seen is None:
            text = "emulated vCPUs cannot be removed, only taken off line by the guest's agent, which does not answer"
            raise GuestError(text, reason=REFUSED, hint="run the agent in the guest, or restart the VM")
        online = [one for one in seen if one.online]
        if len(online) <= count:
            await self._online(0)
            return
        last = [one.number for one in reversed(online) if one.can_offline][: len(online) - count]
        said = await cpus.set_online(self._instance, last, online=False)
        if said or len(last) < len(online) - count:
            await cpus.set_online(self._instance, last, online=True)
            text = said or "the guest cannot take so many of its CPUs off line"
            raise GuestError(f"the guest keeps its vCPUs: {text}", reason=REFUSED)

    # What is told

    async def _refused(self, error: GuestError, before: int) -> Report:
        there = before if self._emulated else _sockets(await cpus.places(self._instance))
        text = f"{error}; {self._describe(there)} stay"
        self._update.site.events.warning(self._update.vmi, error.reason or "FailedVCPUChange", text)
        return Report((self._condition("False", error.reason, text),), self._topology(there))

    def _tell_done(self, before: int) -> None:
        what = self._describe(self._sockets)
        if self._sockets > before:
            self._update.site.events.normal(self._update.vmi, "VCPUsPlugged", f"The guest has {what} now")
        elif self._sockets < before:
            parked = ", the others off line: emulated vCPUs cannot be removed" if self._emulated else ""
            self._update.site.events.normal(self._update.vmi, "VCPUsUnplugged", f"The guest has {what} now{parked}")

    def _there(self, places: Sequence[Place]) -> int:
        """Sockets that the guest has; of an emulated machine without those that are parked."""
        found, shown = _sockets(places), self._update.vmi.status.current_cpu_topology
        return min(found, shown.sockets) if self._emulated and shown is not None and shown.sockets else found

    def _describe(self, sockets: int) -> str:
        count = sockets * self._cores * self._threads
        plural = "s" if sockets != 1 else ""
        return f"{sockets} socket{plural} ({count} vCPU{'s' if count != 1 else ''})"

    def _topology(self, sockets: int) -> CPUTopology:
        return CPUTopology(cores=self._cores, sockets=sockets, threads=self._threads)

    def _condition(self, status: str, reason: str, text: str) -> Condition:
        return Condition(type=KIND, status=status, reason=reason, message=text)


def _sockets(places: Sequence[Place]) -> int:
    """Sockets of which every vCPU is there, counted from the first on."""
    short = {place.socket for place in places if not place.path}
    return next((socket for socket in range(len(places)) if socket in short), max(p.socket for p in places) + 1)
