"""What guests tell about themselves: asked when their agent connects, then every half minute.

The guest's word, typed and bounded by the hypervisor room. A silent or hostile agent costs nothing but its own data.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from solovirt.api.kubevirt.virtualmachineinstance import GuestOSInfo
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_info import AgentInfo, Interface, OsInfo
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError

log = logging.getLogger(__name__)

T = TypeVar("T")

REFRESH = 30.0
_SOON = (1.0, 3.0, 6.0)
"""Seconds until the first refreshes: a guest's addresses often come shortly after its agent."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``freeze`` is "frozen", or empty. ``info`` is which commands the agent has."""

    os: GuestOSInfo | None = None
    info: AgentInfo | None = None
    interfaces: tuple[Interface, ...] = ()
    freeze: str = ""


class AgentMonitor:
    """``changed(uid)`` is called when there is something new to show."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._snapshots: dict[str, Snapshot] = {}
        self._watched: dict[str, asyncio.Task[None]] = {}
        self._hurry: dict[str, asyncio.Event] = {}
        self._tasks = TaskSet("agents")

    def snapshot(self, uid: str) -> Snapshot | None:
        return self._snapshots.get(uid)

    def connected(self, instance: Instance) -> None:
        """The agent of a machine is there (again): ask it."""
        known = self._watched.get(instance.uid)
        if known is None or known.done():
            self._watched[instance.uid] = self._tasks.spawn(self._watch(instance), f"agent {instance.uid}")

    def disconnected(self, uid: str) -> None:
        """What it told counts no more."""
        task = self._watched.pop(uid, None)
        if task is not None:
            task.cancel()
        self._snapshots.pop(uid, None)
        self._hurry.pop(uid, None)

    def frozen(self, uid: str, frozen: bool) -> None:
        """Somebody froze or thawed the guest's file systems just now."""
        before = self._snapshots.get(uid, Snapshot())
        now = replace(before, freeze="frozen" if frozen else "")
        if now != before:
            self._snapshots[uid] = now
            self._changed(uid)

    def soon(self, uid: str) -> None:
        """Something changed that the guest will tell about in a moment: it is asked now, and a few times after."""
        if uid in self._watched:
            self._hurry.setdefault(uid, asyncio.Event()).set()

    async def close(self) -> None:
        await self._tasks.close()

    async def _watch(self, instance: Instance) -> None:
        waits = list(_SOON)
        while instance.agent.connected:
            before = self._snapshots.get(instance.uid)
            now = await self._ask(instance.agent, before or Snapshot())
            if instance.agent.connected and now != before:
                self._snapshots[instance.uid] = now
                self._changed(instance.uid)
            if await self._hurried(instance.uid, waits.pop(0) if waits else REFRESH):
                waits = list(_SOON)

    async def _hurried(self, uid: str, seconds: float) -> bool:
        """Waits that long at most. True when ``soon`` cut it short."""
        hurry = self._hurry.setdefault(uid, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await hurry.wait()
        except TimeoutError:
            return False
        hurry.clear()
        return True

    async def _ask(self, agent: GuestAgent, before: Snapshot) -> Snapshot:
        if before.freeze and await _asked(agent.fsfreeze_status) == "frozen":
            # It takes no other commands.
            return before
        os = before.os or _os_info(await _asked(agent.osinfo))
        info = before.info or await _asked(agent.info)
        found = await _asked(agent.interfaces)
        freeze = await _asked(agent.fsfreeze_status)
        return replace(
            before,
            os=os,
            info=info,
            interfaces=found if found is not None else before.interfaces,
            freeze="frozen" if freeze == "frozen" else "",
        )


async def _asked(ask: Callable[[], Awaitable[T]]) -> T | None:
    """None when the agent cannot or does not answer this."""
    try:
        return await ask()
    except GuestError as error:
        log.debug("guest agent: %s", error)
        return None


def _os_info(found: OsInfo | None) -> GuestOSInfo | None:
    return guest_os(found) if found is not None else None


def guest_os(found: OsInfo) -> GuestOSInfo:
    return GuestOSInfo(
        name=found.name,
        id=found.id,
        pretty_name=found.pretty_name,
        version=found.version,
        version_id=found.version_id,
        kernel_release=found.kernel_release,
        kernel_version=found.kernel_version,
        machine=found.machine,
    )
