"""Guest memory in place: a virtio-mem device grows and shrinks where the guest has a driver for it, DIMMs come and go
where it has none. A change is made whole or not at all: what the guest refuses is put back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import MemoryStatus
from solovirt.api.meta import Condition
from solovirt.api.quantities import as_bytes
from solovirt.compile.configurators.memory import GROWTH
from solovirt.controllers.vmi.live import dimms, memoryplan
from solovirt.controllers.vmi.live.concern import NOTHING, Report, Update
from solovirt.controllers.vmi.live.memoryplan import Plan
from solovirt.hypervisor import memorydevices
from solovirt.hypervisor.memorydevices import Memory, Region
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.plugging import REFUSED
from solovirt.kit.aio import poll
from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.quantity import format_bytes

KIND = "HotMemoryChange"
PATIENCE = 10.0
"""Seconds in which a guest has to plug or unplug at least one block more of its virtio-mem device."""
BACK = 5.0
"""Seconds without progress when it shall undo that."""
DRIVER_TIMEOUT, BOOT_TIMEOUT = 2.0, 20.0
"""Seconds that a guest whose agent answers, and one that may still be booting, has to show its virtio-mem driver."""
PAUSED_AGAIN = BOOTING_AGAIN = 2.0
PROGRESS = 0.25
"""Seconds between two reports of how far it is: each is two commits, of the VMI and of its VM."""
_MIB = 1024**2


class GuestMemory:
    name = "memory"

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return spec.domain.memory, spec.domain.launch_security

    async def apply(self, update: Update) -> Report:
        guest = update.vmi.spec.domain.memory.guest if update.vmi.spec.domain.memory is not None else None
        size = as_bytes(guest)
        if size is None or update.vmi.spec.domain.launch_security is not None:
            return NOTHING
        report = await _Change(update, -(-size // _MIB) * _MIB).run()
        await dimms.sweep(update.instance)
        return report


class _Change:
    """``wanted`` is what the guest shall have in all, in bytes."""

    def __init__(self, update: Update, wanted: int) -> None:
        self._update = update
        self._instance = update.instance
        self._wanted = wanted
        self._undo: list[Callable[[], Awaitable[object]]] = []
        self._told: float | None = None
        self._driver: bool | None = None

    async def run(self) -> Report:
        # All questions at once: a busy QEMU lets each round trip wait for milliseconds.
        before, self._driver = await asyncio.gather(
            memorydevices.read(self._instance), memorydevices.driven(self._instance, GROWTH)
        )
        self._wanted = before.rounded(self._wanted)
        extra = max(self._wanted - before.base, 0)
        region = before.region
        if before.base + extra == before.plugged and (region is None or region.requested == region.size):
            if extra and self._instance.run_state is RunState.RUNNING:
                await dimms.settle(self._instance)
            return Report(memory=self._status(before))
        if self._instance.run_state is not RunState.RUNNING:
            return self._report("True", "Paused", "waits until the guest runs", before, again=PAUSED_AGAIN)
        if region is not None and self._is_owed(before, region, extra) and not self._instance.agent.connected:
            text = f"the guest has taken {format_bytes(region.size)} of {format_bytes(region.requested)} so far"
            return self._report("True", "InProgress", text, before, again=BOOTING_AGAIN)
        try:
            self._check_host(before)
            await self._make(await self._plan(before, extra), before)
            await dimms.settle(self._instance)
        except SolovirtError as error:
            if self._instance.has_exited:
                raise
            return await self._refused(error)
        after = await memorydevices.read(self._instance)
        self._tell_done(before, after)
        return Report(memory=self._status(after))

    def _begun(self, before: Memory) -> None:
        """Once there is something to wait for: what is shown costs work that the guest can be at meanwhile."""
        if self._told is None:
            self._tell(f"{format_bytes(before.plugged)} become {format_bytes(self._wanted)}", before, before.plugged)

    def _tell(self, text: str, before: Memory, plugged: int) -> None:
        self._told = time.monotonic()
        self._update.tell(self._report("True", "InProgress", text, before, plugged=plugged))

    def _is_owed(self, memory: Memory, region: Region, extra: int) -> bool:
        """A guest that was rebooted takes again what it had, when it comes to its driver."""
        others = memory.plugged - memory.base - region.size
        return region.size < region.requested and others + region.requested == extra

    def _check_host(self, before: Memory) -> None:
        most = self._update.site.facts.memory
        if most and self._wanted > max(before.plugged, most):
            text = f"the guest wants {format_bytes(self._wanted)}, this host has {most // _MIB}Mi in all"
            raise GuestError(text, reason="InsufficientMemory")

    async def _plan(self, before: Memory, extra: int) -> Plan:
        more = before.base + extra - before.plugged
        virtio = more > 0 and before.region is not None and await self._driven(before, before.region)
        return memoryplan.plan(before, extra, virtio=virtio, slots=more > 0 and dimms.taken(self._update))

    async def _driven(self, before: Memory, region: Region) -> bool:
        """Where QEMU cannot tell, the guest has the chance to react."""
        patience = DRIVER_TIMEOUT if self._instance.agent.connected else BOOT_TIMEOUT

        async def has_driver() -> bool:
            return await memorydevices.driven(self._instance, region.device) is not False

        if self._driver is not False:
            return True
        self._begun(before)
        return await poll(has_driver, patience, pause=0.25)

    async def _make(self, plan: Plan, before: Memory) -> None:
        """Raises when a part fails, after the parts before it were undone."""
        try:
            if plan.region is not None and before.region is not None:
                self._undo.append(partial(self._back, before.region))
                await self._resize(before, before.region, plan.region)
            self._begun(before)
            if plan.plug:
                await dimms.sweep(self._instance)
            for size in plan.plug:
                name = await dimms.plug(self._update, size)
                self._undo.append(partial(self._take_back, name))
            for dimm in plan.unplug:
                await dimms.remove(self._instance, dimm)
                self._undo.append(partial(dimms.plug, self._update, dimm.size))
        except SolovirtError:
            if not self._instance.has_exited:
                await self._put_back()
            raise

    async def _resize(self, before: Memory, region: Region, size: int) -> None:
        rest = before.plugged - region.size

        def progress(now: int) -> None:
            if self._told is None or time.monotonic() >= self._told + PROGRESS:
                self._tell(f"{format_bytes(rest + now)} of {format_bytes(self._wanted)}", before, rest + now)

        await memorydevices.request(self._instance, region, size)
        self._begun(before)
        reached = await memorydevices.follow(self._instance, region, size, patience=PATIENCE, progress=progress)
        if reached == size:
            return
        word = "took" if size > region.size else "gave back"
        moved, asked = abs(reached - region.size), abs(size - region.size)
        text = f"the guest {word} {format_bytes(moved)} of {format_bytes(asked)} and then nothing for {PATIENCE:g} s"
        raise GuestError(text, reason=REFUSED)

    async def _back(self, region: Region) -> None:
        await memorydevices.resize(self._instance, region, region.size, patience=BACK, progress=lambda _: None)

    async def _take_back(self, name: str) -> None:
        now = await memorydevices.read(self._instance)
        for dimm in now.dimms:
            if dimm.device == name:
                await dimms.remove(self._instance, dimm)

    async def _put_back(self) -> None:
        """Best effort: what stays is told."""
        for step in reversed(self._undo):
            try:
                await step()
            except SolovirtError as error:
                if self._instance.has_exited:
                    return
                self._update.site.events.warning(self._update.vmi, "MemoryNotPutBack", str(error))

    async def _refused(self, error: SolovirtError) -> Report:
        now = await memorydevices.read(self._instance)
        text = f"{error}; {format_bytes(now.plugged)} stay"
        self._update.site.events.warning(self._update.vmi, error.reason or "FailedMemoryChange", text)
        return self._report("False", error.reason, text, now)

    def _tell_done(self, before: Memory, after: Memory) -> None:
        events, vmi, size = self._update.site.events, self._update.vmi, format_bytes(after.plugged)
        if after.plugged > before.plugged:
            events.normal(vmi, "MemoryPlugged", f"The guest has {size} of memory now")
        elif after.plugged < before.plugged:
            events.normal(vmi, "MemoryUnplugged", f"The guest has {size} of memory now")

    def _report(
        self,
        status: str,
        reason: str,
        text: str,
        memory: Memory,
        *,
        plugged: int | None = None,
        again: float | None = None,
    ) -> Report:
        condition = Condition(type=KIND, status=status, reason=reason, message=text)
        return Report((condition,), memory=self._status(memory, plugged), again=again)

    def _status(self, memory: Memory, plugged: int | None = None) -> MemoryStatus:
        return MemoryStatus(
            guest_at_boot=format_bytes(memory.base),
            guest_current=format_bytes(memory.plugged if plugged is None else plugged),
            guest_requested=format_bytes(self._wanted),
        )
