"""Guests that suspend themselves, and how they go on. Must not know HTTP.

Agents answer a suspend only when it fails, so the machine's own events say that it worked.
Source: QEMU's qga/qapi-schema.json (guest-suspend-ram), qapi/run-state.json (SUSPEND, SUSPEND_DISK, WAKEUP).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Literal

from solovirt.controllers import refusals
from solovirt.controllers.refusals import conflict
from solovirt.controllers.targets import Targets
from solovirt.hypervisor.happenings import Listener
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, SolovirtError, TimedOut, Unavailable
from solovirt.kit.json import Json

Mode = Literal["ram", "disk", "hybrid"]
_SIGNS = {"ram": ("SUSPEND",), "hybrid": ("SUSPEND",), "disk": ("SUSPEND_DISK", "SHUTDOWN")}
"""QMP events that say that it has happened. A guest on disk is switched off."""
WAKEUP_PATIENCE = 10.0
_VIRTIO_MEM = (
    "Linux does not suspend with a virtio-mem device, which this machine has for memory hotplug; the annotation"
    " solovirt.io/memory-hotplug: pc-dimm in spec.template.metadata leaves it away at the next start"
)


class GuestPower:
    """All raise NotFound for an unknown VMI, Conflict when it is in the wrong state, GuestError, TimedOut."""

    def __init__(self, targets: Targets, wake: Callable[[Instance], Awaitable[None]]) -> None:
        self._targets = targets
        self._wake = wake
        self._falling_asleep: set[str] = set()

    async def suspend(self, namespace: str, name: str, mode: Mode, *, timeout: float) -> None:
        """Have the guest suspend itself; returns when it has. ``disk``: its machine powers off.

        GuestError is what the guest said. TimedOut after ``timeout`` seconds: it may still do it.
        """
        instance = self._targets.with_agent(namespace, name)
        if instance.uid in self._falling_asleep:
            raise conflict(name, "VMI is about to be suspended already", refusals.VMI)
        self._falling_asleep.add(instance.uid)
        try:
            if mode != "disk":
                await _check_wakeup(name, instance)
            await self._suspend(name, instance, mode, timeout)
        except GuestError as error:
            if error.reason == "CommandFailed" and await _has_virtio_mem(instance):
                error.hint = _VIRTIO_MEM
            raise
        finally:
            self._falling_asleep.discard(instance.uid)

    async def wakeup(self, namespace: str, name: str) -> None:
        """Wake a guest that is suspended to RAM; returns when its CPUs run."""
        _, instance = self._targets.running(namespace, name)
        if instance.run_state is not RunState.SUSPENDED:
            raise conflict(name, "VMI is not suspended", refusals.VMI)
        with instance.happenings.listen() as listener:
            await self._wake(instance)
            try:
                async with asyncio.timeout(WAKEUP_PATIENCE):
                    await _seen(listener, ("WAKEUP",))
            except TimeoutError:
                raise TimedOut(f"the guest did not wake up within {WAKEUP_PATIENCE:g} s") from None

    async def _suspend(self, name: str, instance: Instance, mode: Mode, timeout: float) -> None:
        with instance.happenings.listen() as listener:
            asked: asyncio.Task[Json] = asyncio.create_task(
                instance.agent.command(f"guest-suspend-{mode}", timeout=timeout + 1, patience=timeout)
            )
            seen = asyncio.create_task(_seen(listener, _SIGNS[mode]))
            try:
                async with asyncio.timeout(timeout):
                    await asyncio.wait({asked, seen}, return_when=asyncio.FIRST_COMPLETED)
                    if not seen.done():
                        # An error is what the guest said; a hang-up may be the machine's end.
                        await asked
                    await seen
                    return
            except TimeoutError:
                pass
            finally:
                for task in (asked, seen):
                    task.cancel()
                await asyncio.gather(asked, seen, return_exceptions=True)
        raise TimedOut(
            f"{name} is not suspended after {timeout:g} s, and its agent says nothing",
            hint=f"`solovirt logs {name}` shows what the guest's kernel said",
        )


async def _seen(listener: Listener, names: tuple[str, ...]) -> None:
    """Until one of these events comes. Raises Unavailable when QEMU is gone."""
    while True:
        with contextlib.suppress(TimedOut):
            if (await listener.next(60))[0] in names:
                return


async def _has_virtio_mem(instance: Instance) -> bool:
    try:
        found = await instance.qmp("query-memory-devices")
    except SolovirtError:
        return False
    return isinstance(found, list) and any(isinstance(one, dict) and one.get("type") == "virtio-mem" for one in found)


async def _check_wakeup(name: str, instance: Instance) -> None:
    """A guest that sleeps for ever is of no use: some machines cannot be woken."""
    try:
        found = await instance.qmp("query-current-machine")
    except Unavailable as error:
        raise conflict(name, str(error), refusals.VMI) from error
    if isinstance(found, dict) and found.get("wakeup-suspend-support") is False:
        raise conflict(name, "its machine type cannot wake up a guest that is suspended to RAM", refusals.VMI)
