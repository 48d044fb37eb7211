"""The watchdog: one that comes or goes where the machine has a bridge for it, and what happens when it fires.

Source: QEMU qapi/run-state.json, ``set-action``.
"""

from __future__ import annotations

from collections.abc import Collection

from solovirt.api.kubevirt.spec.devices import Watchdog
from solovirt.compile.configurators import watchdog
from solovirt.compile.context import device_id
from solovirt.compile.layout import BRIDGE
from solovirt.compile.render import arguments
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.outcome import RESTART, Outcome
from solovirt.controllers.vmi.live.places import leave_place, take_place
from solovirt.hypervisor.plugging import Unit, plug, present, unplug
from solovirt.kit.errors import GuestError, HostError, SolovirtError

_PREFIX = device_id("")


async def apply(update: Update, outcome: Outcome) -> None:
    """Makes the machine's watchdog that of the spec."""
    every = await present(update.instance)
    found = {device for device, kind in every.items() if kind == watchdog.DRIVER and device.startswith(_PREFIX)}
    wanted = update.vmi.spec.domain.devices.watchdog
    device = device_id(wanted.name) if wanted is not None else ""
    for other in sorted(found - {device}):
        await _go(update, outcome, other)
    if wanted is None:
        return
    # QEMU does not tell what it would do, so it is told each time; before the guest can start a new one.
    await update.instance.qmp("set-action", {"watchdog": watchdog.action_of(wanted)})
    if device not in found:
        await _come(update, outcome, wanted, device, every)


async def _come(update: Update, outcome: Outcome, wanted: Watchdog, device: str, others: Collection[str]) -> None:
    outcome.begin(device, f"watchdog {wanted.name} is being plugged in")
    try:
        _require(wanted, device, others)
        place = await take_place(update, device)
        add = ("device_add", arguments(watchdog.device(wanted, place)))
        await plug(update.instance, Unit(device, (), (add,), ()))
    except SolovirtError as error:
        if update.instance.has_exited:
            raise
        if isinstance(error, GuestError):
            await leave_place(update, device)
        text = f"watchdog {wanted.name}: {error.message}"
        outcome.failed(device, GuestError(text, reason=error.reason, hint=error.hint))
    else:
        outcome.done(device, "WatchdogPlugged", f"Watchdog {wanted.name} was plugged in")


def _require(wanted: Watchdog, device: str, others: Collection[str]) -> None:
    if device in others:
        text = f"the running machine has another device of the name {wanted.name}"
        raise HostError(text, reason="NameTaken", hint="give the watchdog another name")
    if BRIDGE not in others:
        # One that is plugged in now would be of no use: a root port has no numbers left for buses behind it.
        text = "it needs a bridge for conventional PCI devices, without which the machine was started"
        raise HostError(text, reason=RESTART, hint="restart the VM")


async def _go(update: Update, outcome: Outcome, device: str) -> None:
    name = device.removeprefix(_PREFIX)
    outcome.begin(device, f"the guest is asked to let watchdog {name} go")
    try:
        await unplug(update.instance, device)
    except GuestError as error:
        text = f"watchdog {name}: {error.message}"
        outcome.failed(device, GuestError(text, reason=error.reason, hint=error.hint))
        return
    await leave_place(update, device)
    outcome.done(device, "WatchdogUnplugged", f"Watchdog {name} was unplugged")
