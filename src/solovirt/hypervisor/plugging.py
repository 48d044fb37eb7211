"""Devices that come and go while the machine runs: what is there, ``device_add`` with undo, the unplug protocol.

A device goes only when the guest agrees: DEVICE_DELETED says that it has; DEVICE_UNPLUG_GUEST_ERROR, MEM_UNPLUG_ERROR
or an ACPI_DEVICE_OST with a failure that it will not. Sources: QEMU qapi/qdev.json, qapi/machine.json, qapi/acpi.json;
ACPI 6.5, 6.3.5 (_OST).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from solovirt.hypervisor.happenings import Event, Listener
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError, SolovirtError, TimedOut, Unavailable
from solovirt.kit.json import JsonObject, get_int, get_object, get_str
from solovirt.kit.text import printable

log = logging.getLogger(__name__)

PERIPHERAL = "/machine/peripheral"
UNPLUG_TIMEOUT = 30.0
"""Seconds that a guest has to let a device go; libvirt gives it 5 and then asks again later."""
REFUSED = "UnplugRefused"
TIMED_OUT = "UnplugTimeout"

INSERT, EJECT = 1, 3
"""Sources of _OST: what the guest was asked for."""
TAKING = 0x80
"""_OST code of an insertion that goes on."""
PENDING = (0x0, 0x84, 0x85)
"""_OST codes of an ejection that goes on: success, "pending", "in progress"."""
_OST = {
    0x1: "it failed for no given reason",
    0x2: "it does not know the request",
    0x80: "the device is locked by a program",
    0x81: "the device is locked",
    0x82: "the device is in use by an application",
    0x83: "the device is busy",
    0x86: "dependent devices are in use",
}
_INSERTION = {0x81: "it could not load a driver", 0x82: "its system does not support it"}

Command = tuple[str, JsonObject]
"""A QMP command and its arguments."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A device and what belongs to it, as QMP commands.

    ``before`` makes its backends, in order; ``plug`` adds the device itself (an adapter first, where it needs one);
    ``after`` removes the backends, in order. ``device`` is its id.
    """

    device: str
    before: tuple[Command, ...]
    plug: tuple[Command, ...]
    after: tuple[Command, ...]


async def present(instance: Instance) -> dict[str, str]:
    """The devices that have an id: id -> QOM type ("virtio-blk-pci")."""
    found = await instance.qmp("qom-list", {"path": PERIPHERAL})
    devices: dict[str, str] = {}
    for child in found if isinstance(found, list) else []:
        if isinstance(child, dict) and (kind := get_str(child, "type")).startswith("child<"):
            devices[get_str(child, "name")] = kind[len("child<") : -1]
    return devices


async def plug(instance: Instance, unit: Unit) -> None:
    """Adds the device. When any step fails, what was made before it is removed and QEMU's refusal is raised."""
    try:
        for name, arguments in (*unit.before, *unit.plug):
            await instance.qmp(name, arguments)
    except SolovirtError:
        await discard(instance, unit.after)
        raise


async def unplug(
    instance: Instance, device: str, after: Sequence[Command] = (), *, timeout: float = UNPLUG_TIMEOUT
) -> None:
    """Removes the device with the guest's consent, then its backends. Nothing happens when it is not there.

    Raises ``GuestError`` with reason "UnplugRefused" (the guest's word as message) or "UnplugTimeout" (the guest does
    not react: no driver, still booting); the device is still there then, and the guest may yet let it go.
    """
    with instance.happenings.listen() as events:
        try:
            await instance.qmp("device_del", {"id": device})
        except GuestError as error:
            if error.reason == "DeviceNotFound":
                await discard(instance, after)
                return
            if "already in the process of unplug" not in str(error):
                raise
        await _gone(instance, device, events, timeout)
    await discard(instance, after)


async def discard(instance: Instance, commands: Sequence[Command]) -> None:
    """Removes backends; one that is not there (any more) is as good as removed."""
    for name, arguments in commands:
        try:
            await instance.qmp(name, arguments)
        except GuestError as error:
            log.debug("instance %s: %s: %s", instance.uid, name, error)


async def _gone(instance: Instance, device: str, events: Listener, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            event = await events.next(max(deadline - time.monotonic(), 0.0))
        except Unavailable:
            if device not in await present(instance):
                return
            continue
        except TimedOut as error:
            if device not in await present(instance):
                return
            text = f"the guest did not let {device} go within {timeout:g} s"
            hint = "it may still be booting, or have no driver for hot-unplug"
            raise GuestError(text, reason=TIMED_OUT, hint=hint) from error
        if (refusal := refused(event, device)) is not None:
            raise GuestError(f"the guest keeps {device}: {refusal}", reason=REFUSED)
        if event[0] == "DEVICE_DELETED" and get_str(event[1], "device") == device:
            return


def refused(event: Event, device: str) -> str | None:
    """Why the guest keeps the device, if this event says that it does."""
    name, data = event
    match name:
        case "DEVICE_UNPLUG_GUEST_ERROR" if get_str(data, "device") == device:
            return "it refused the request"
        case "MEM_UNPLUG_ERROR" if get_str(data, "device") == device:
            return printable(get_str(data, "msg")) or "it refused the request"
        case "ACPI_DEVICE_OST":
            info = get_object(data, "info")
            if get_str(info, "device") != device or get_int(info, "source") != EJECT:
                return None
            status = get_int(info, "status")
            return None if status in PENDING else ost_text(status)
    return None


def ost_text(status: int, source: int = EJECT) -> str:
    """A failure that a guest reports by _OST, in words."""
    words = {**_OST, **_INSERTION} if source == INSERT else _OST
    return words.get(status, f"ACPI status {status:#x}")
