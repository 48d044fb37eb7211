"""Memory that comes and goes while the machine runs: a virtio-mem device that grows and shrinks, and DIMMs.

Of virtio-mem the guest plugs and unplugs blocks by itself once ``requested-size`` changes; ``size`` is looked at, since
QEMU tells it by an event (MEMORY_DEVICE_SIZE_CHANGE) only once a second. A DIMM is a device like others, answered by
ACPI_DEVICE_OST. Sources: QEMU qapi/machine.json, hw/virtio/virtio-mem.c, docs/memory-hotplug.txt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.plugging import INSERT, REFUSED, TAKING, Unit, ost_text, unplug
from solovirt.hypervisor.plugging import plug as plug_device
from solovirt.kit.errors import GuestError, SolovirtError, TimedOut, Unavailable
from solovirt.kit.json import JsonObject, get_int, get_list, get_object, get_str

_PERIPHERAL = "/machine/peripheral/"
_FIRST_LOOK, _LOOK = 0.03, 0.1
"""Seconds between looks at how far a guest is. Each takes QEMU's big lock, which an emulated guest needs to go on."""


@dataclass(frozen=True, slots=True)
class Region:
    """A virtio-mem device; all in bytes. ``size`` is what the guest has plugged of it, ``block`` the unit, ``address``
    where the guest has it."""

    device: str
    size: int
    requested: int
    maximum: int
    block: int
    address: int = 0


@dataclass(frozen=True, slots=True)
class Dimm:
    """``backend`` is the id of its memory object, ``address`` where the guest has it, in bytes."""

    device: str
    size: int
    slot: int
    backend: str
    address: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """``base`` is what the machine was started with, in bytes."""

    base: int
    region: Region | None = None
    dimms: tuple[Dimm, ...] = ()

    @property
    def plugged(self) -> int:
        """All that the guest has or could have."""
        return self.base + (self.region.size if self.region else 0) + sum(dimm.size for dimm in self.dimms)

    def rounded(self, size: int) -> int:
        """The least that the guest can have which is not less than ``size``: virtio-mem grows by whole blocks."""
        unit = self.region.block if self.region else 1
        return self.base + -(-(size - self.base) // unit) * unit if size > self.base else size


async def read(instance: Instance) -> Memory:
    """What the machine has now."""
    summary, reply = await asyncio.gather(
        instance.qmp("query-memory-size-summary"), instance.qmp("query-memory-devices")
    )
    region, dimms = None, []
    for entry in reply if isinstance(reply, list) else []:
        if not isinstance(entry, dict):
            continue
        kind, data = get_str(entry, "type"), get_object(entry, "data")
        if kind == "virtio-mem":
            region = _region(data)
        elif kind == "dimm":
            dimms.append(_dimm(data))
    return Memory(get_int(summary, "base-memory") if isinstance(summary, dict) else 0, region, tuple(dimms))


def _region(data: JsonObject) -> Region:
    return Region(
        device=get_str(data, "id"),
        size=get_int(data, "size"),
        requested=get_int(data, "requested-size"),
        maximum=get_int(data, "max-size"),
        block=max(get_int(data, "block-size"), 1),
        address=get_int(data, "memaddr"),
    )


def _dimm(data: JsonObject) -> Dimm:
    backend = get_str(data, "memdev").rpartition("/")[2]
    return Dimm(get_str(data, "id"), get_int(data, "size"), get_int(data, "slot", -1), backend, get_int(data, "addr"))


async def driven(instance: Instance, device: str) -> bool | None:
    """Whether the guest has a driver for the virtio-mem device; None where this QEMU cannot tell, or has none."""
    path = f"{_PERIPHERAL}{device}/virtio-backend"
    try:
        reply = await instance.qmp("x-query-virtio-status", {"path": path})
    except GuestError:
        return None
    status = get_object(reply, "status") if isinstance(reply, dict) else {}
    words = get_list(status, "statuses")
    return any(isinstance(word, str) and "DRIVER_OK" in word for word in words)


async def resize(
    instance: Instance, region: Region, size: int, *, patience: float, progress: Callable[[int], None]
) -> int:
    """:func:`request` and :func:`follow` in one."""
    await request(instance, region, size)
    return await follow(instance, region, size, patience=patience, progress=progress)


async def request(instance: Instance, region: Region, size: int) -> None:
    """Asks the guest to have ``size`` bytes of the region plugged, in whole blocks. Raises ``GuestError`` when QEMU
    refuses."""
    path = f"{_PERIPHERAL}{region.device}"
    await instance.qmp("qom-set", {"path": path, "property": "requested-size", "value": size})


async def follow(
    instance: Instance, region: Region, size: int, *, patience: float, progress: Callable[[int], None]
) -> int:
    """Waits until the guest has ``size`` bytes of the region, as it was asked to; ``region`` is as it was before.

    Returns how much it has when it got there, or when nothing moved for ``patience`` seconds. ``progress`` gets each
    size in between.
    """
    now = region.size
    deadline, pause = time.monotonic() + patience, _FIRST_LOOK
    while now != size and time.monotonic() < deadline:
        await asyncio.sleep(pause)
        before, now = now, await plugged(instance, region)
        pause = min(pause * 1.5, _LOOK)
        if now != before:
            deadline = time.monotonic() + patience
            progress(now)
    return now


async def plugged(instance: Instance, region: Region) -> int:
    """How much of the region the guest has now."""
    size = await instance.qmp("qom-get", {"path": f"{_PERIPHERAL}{region.device}", "property": "size"})
    return size if isinstance(size, int) else 0


async def plug(instance: Instance, dimm: Unit, *, timeout: float) -> bool:
    """Plugs a DIMM and waits for the guest's answer. False when there was none within ``timeout`` seconds: it is
    plugged all the same. Raises ``GuestError``: QEMU's, or "UnplugRefused" when the guest does not take it; it is gone
    again then, unless the guest does not let it go either."""
    with instance.happenings.listen() as events:
        await plug_device(instance, dimm)
        deadline = time.monotonic() + timeout
        while True:
            try:
                name, data = await events.next(max(deadline - time.monotonic(), 0.0))
            except (TimedOut, Unavailable):
                return False
            info = get_object(data, "info")
            if name != "ACPI_DEVICE_OST" or get_str(info, "device") != dimm.device or get_int(info, "source") != INSERT:
                continue
            status = get_int(info, "status")
            if status == 0:
                return True
            if status != TAKING:
                break
    text = f"the guest did not take {dimm.device}: {ost_text(status, INSERT)}"
    try:
        await unplug(instance, dimm.device, dimm.after, timeout=timeout)
    except SolovirtError as error:
        text = f"{text}; and {error.message}"
    raise GuestError(text, reason=REFUSED)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of memory as the guest counts them."""

    number: int
    online: bool
    can_offline: bool


@dataclass(frozen=True, slots=True)
class Blocks:
    """The guest's memory by its agent. ``size`` of each, in bytes."""

    size: int
    blocks: tuple[Block, ...]

    @property
    def online(self) -> int:
        return self.size * sum(block.online for block in self.blocks)


async def blocks(instance: Instance) -> Blocks | None:
    """None where the guest cannot be asked."""
    if not instance.agent.connected:
        return None
    try:
        info = await instance.agent.command("guest-get-memory-block-info")
        reply = await instance.agent.command("guest-get-memory-blocks")
    except GuestError:
        return None
    size = get_int(info, "size") if isinstance(info, dict) else 0
    found = [one for one in reply if isinstance(one, dict)] if isinstance(reply, list) else []
    if size <= 0:
        return None
    return Blocks(
        size,
        tuple(
            Block(get_int(one, "phys-index"), one.get("online") is True, one.get("can-offline") is True)
            for one in found
        ),
    )


async def set_online(instance: Instance, numbers: list[int], *, online: bool) -> None:
    """Best effort: what the guest refuses stays as it is, and is seen by what comes next."""
    changes: JsonObject = {"mem-blks": [{"phys-index": number, "online": online} for number in numbers]}
    try:
        await instance.agent.command("guest-set-memory-blocks", changes)
    except GuestError:
        return
