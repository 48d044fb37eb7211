"""Freezing a guest's file systems for a moment, and thawing them, by a deadline that holds whatever happens to us.

Before the freeze the deadline is written down (``freezes`` records) and a process of its own begins to wait for it
(:mod:`solovirt.hypervisor.guardian`). While a daemon runs it thaws by itself; the next one goes on from the record;
with none the process does it. While frozen, the agent takes no other commands. Must not know HTTP.

Source: kubevirt pkg/virt-launcher (FreezeVMI, ``unfreezeTimeout``), QEMU's qga/commands-posix.c.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from datetime import timedelta

import msgspec

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.controllers.vmi.records import FREEZES
from solovirt.hypervisor import guardian
from solovirt.hypervisor.instance import Instance
from solovirt.kit import json, timestamps
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError, HostError, SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.kit.process import Child

log = logging.getLogger(__name__)

VMIS = registry.VIRTUAL_MACHINE_INSTANCES
FREEZE_PATIENCE = 60.0
"""Seconds that a guest has to write out everything and stop writing."""
THAW_PATIENCE = 30.0
AGAIN = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to thaw a guest whose time is over."""


class FreezeRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``deadline`` is on CLOCK_BOOTTIME (no QEMU outlives its host's boot), 0 for none; ``until`` is it for people."""

    namespace: str
    name: str
    deadline: float = 0.0
    until: str = ""


class GuestFreezer:
    """All raise NotFound for an unknown VMI, Conflict where no agent is connected, GuestError for what it says."""

    def __init__(self, site: Site, targets: Targets, vmis: VirtualMachineInstances) -> None:
        self._site = site
        self._targets = targets
        self._vmis = vmis
        self._records = site.objects.records
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._guardians: dict[str, Child] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._tasks = TaskSet("guest freeze")

    async def freeze(self, namespace: str, name: str, timeout: float) -> int:
        """Freeze all file systems, and thaw them ``timeout`` seconds from now (0: never by ourselves).

        Returns when they are frozen: how many there are; 0 where the guest has none that can be. One that is frozen
        already stays as it is, with its deadline. A freeze that fails leaves the guest thawed.
        """
        self._targets.running(namespace, name)
        instance = self._targets.with_agent(namespace, name)
        async with self._turn(instance.uid):
            record = self._record(instance.uid)
            if record is not None:
                if await instance.agent.fsfreeze_status() == "frozen":
                    return 1
                await self._over(instance, thawed=True)
            return await self._freeze(instance, self._targets.vmi(namespace, name), timeout)

    async def thaw(self, namespace: str, name: str) -> None:
        """Returns when they are thawed; nothing happens when they are."""
        vmi, instance = self._targets.vmi(namespace, name), self._targets.with_agent(namespace, name)
        async with self._turn(instance.uid):
            was = self._record(instance.uid) is not None
            await instance.agent.command("guest-fsfreeze-thaw", timeout=THAW_PATIENCE)
            await self._over(instance, thawed=True)
        if was:
            self._site.events.normal(vmi, "Thawed", "The guest's file systems are thawed.")

    async def status(self, namespace: str, name: str) -> JsonObject:
        """``status`` "frozen" or "thawed", as the guest says, and ``until`` when we thaw it (RFC 3339)."""
        instance = self._targets.with_agent(namespace, name)
        async with self._turn(instance.uid):
            found = await instance.agent.fsfreeze_status()
            record = self._record(instance.uid)
            if found != "frozen" and record is not None:
                await self._over(instance, thawed=True)
        self._vmis.agents.frozen(instance.uid, found == "frozen")
        shown: JsonObject = {"status": "frozen" if found == "frozen" else "thawed"}
        if found == "frozen" and record is not None and record.until:
            shown["until"] = record.until
        return shown

    async def resume(self) -> None:
        """After a start of the daemon: the deadlines of an earlier one are ours."""
        for uid in list(self._records.list(FREEZES)):
            record = self._record(uid)
            if record is not None and record.deadline:
                self._wait(uid, record)

    async def close(self) -> None:
        """Stops to wait; the processes beside us go on."""
        await self._tasks.close()
        for child in self._guardians.values():
            child.release()
        self._guardians.clear()

    async def _freeze(self, instance: Instance, vmi: VirtualMachineInstance, timeout: float) -> int:
        uid, meta = instance.uid, vmi.metadata
        record = FreezeRecord(meta.namespace, meta.name)
        if timeout:
            until = timestamps.render(self._site.clock() + timedelta(seconds=timeout))
            deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + timeout
            record = FreezeRecord(meta.namespace, meta.name, deadline, until)
        await self._records.put(FREEZES, uid, json.encode(record))
        count = 0
        try:
            if record.deadline:
                await guardian.end(instance.identity.directory, self._guardians.pop(uid, None))
                self._guardians[uid] = guardian.start(instance, record.deadline)
                self._wait(uid, record)
            patience = min(FREEZE_PATIENCE, timeout or FREEZE_PATIENCE)
            reply = await instance.agent.command("guest-fsfreeze-freeze", timeout=patience)
            count = reply if isinstance(reply, int) else 0
        finally:
            if not count:
                # Also when we are cancelled: the guest may be freezing at this very moment.
                await asyncio.shield(self._tasks.spawn(self._undo(instance), f"unfreeze {uid}"))
        if count:
            self._vmis.agents.frozen(uid, True)
            text = f" until {record.until}" if record.until else ""
            self._site.events.normal(vmi, "Frozen", f"The guest's file systems are frozen{text}.")
        return count

    async def _undo(self, instance: Instance) -> None:
        """What a freeze that did not come to its end may have left. While the guest does not answer, all that is to
        thaw it stays.
        """
        try:
            await instance.agent.command("guest-fsfreeze-thaw", timeout=THAW_PATIENCE)
        except GuestError as error:
            log.warning("instance %s: thawing after a freeze that failed: %s", instance.uid, error)
            if error.reason not in ("CommandFailed", "CommandDisabled", "CommandNotFound"):
                return
        await self._over(instance, thawed=True)

    async def _over(self, instance: Instance, *, thawed: bool) -> None:
        uid = instance.uid
        timer = self._timers.pop(uid, None)
        if timer is not None and timer is not asyncio.current_task():
            timer.cancel()
        await self._records.delete(FREEZES, uid)
        if thawed:
            self._vmis.agents.frozen(uid, False)
        try:
            await guardian.end(instance.identity.directory, self._guardians.pop(uid, None))
        except (HostError, OSError) as error:
            log.warning("instance %s: %s", uid, error)

    def _wait(self, uid: str, record: FreezeRecord) -> None:
        timer = self._timers.pop(uid, None)
        if timer is not None:
            timer.cancel()
        self._timers[uid] = self._tasks.spawn(self._expire(uid, record), f"thaw {uid}")

    async def _expire(self, uid: str, record: FreezeRecord) -> None:
        """Thaws at the deadline, again and again while the guest does not say that it is."""
        await asyncio.sleep(max(0.0, record.deadline - time.clock_gettime(time.CLOCK_BOOTTIME)))
        pauses = list(AGAIN)
        while self._records.get(FREEZES, uid) is not None:
            instance = self._vmis.machines.known(uid)
            if instance is not None:
                with contextlib.suppress(SolovirtError):
                    async with self._turn(uid):
                        await self._expired(instance, record)
                    return
            await asyncio.sleep(pauses.pop(0) if len(pauses) > 1 else pauses[0])
        child = self._guardians.get(uid)
        if child is not None and child.has_exited:
            del self._guardians[uid]

    async def _expired(self, instance: Instance, record: FreezeRecord) -> None:
        frozen = await instance.agent.fsfreeze_status() == "frozen"
        if frozen:
            await instance.agent.command("guest-fsfreeze-thaw", timeout=THAW_PATIENCE)
        await self._over(instance, thawed=True)
        vmi = self._site.objects.find(VMIS, record.namespace, record.name)
        if vmi is not None and vmi.metadata.uid == instance.uid:
            text = "The guest's file systems were thawed: the time for which they were frozen is over."
            self._site.events.warning(vmi, "FreezeTimeout", text)

    def _record(self, uid: str) -> FreezeRecord | None:
        data = self._records.get(FREEZES, uid)
        try:
            return msgspec.json.decode(data, type=FreezeRecord) if data is not None else None
        except msgspec.DecodeError:
            return None

    def _turn(self, uid: str) -> asyncio.Lock:
        """One change of a machine's freeze at a time."""
        return self._turns.setdefault(uid, asyncio.Lock())
