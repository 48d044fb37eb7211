"""DIMMs of a running machine: one comes with its backend, one goes with it; the guest's agent helps with both.

Guests take memory on line by themselves, or a udev rule or an administrator does it, or nobody. Must not know why.
"""

from __future__ import annotations

import json

from solovirt.compile.configurators import memory as described
from solovirt.compile.render import arguments
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.places import context
from solovirt.host.model.bindings import Bindings
from solovirt.host.places import sockets_of
from solovirt.hypervisor import memorydevices
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.memorydevices import Dimm
from solovirt.hypervisor.plugging import REFUSED, Command, Unit, discard, present, unplug
from solovirt.kit.aio import poll
from solovirt.kit.errors import GuestError

TAKE_TIMEOUT, GIVE_TIMEOUT = 10.0, 20.0
ONLINE_TIMEOUT = 3.0
"""Seconds until the guest is helped with taking new memory on line."""
_BACKEND = "mem" + described.DIMM


def taken(update: Update) -> bool:
    """Whether the machine was started with slots."""
    return any(word.startswith("size=") and ",slots=" in word for word in update.record.argv)


async def plug(update: Update, size: int) -> str:
    """A new DIMM; its id. Raises ``GuestError`` for what QEMU or the guest refuses; nothing is left of it then."""
    instance = update.instance
    there = await present(instance)
    name = next(f"{described.DIMM}{n}" for n in range(len(there) + 1) if f"{described.DIMM}{n}" not in there)
    backend, device = (arguments(one) for one in described.dimm(context(update, _bindings(update)), name, size))
    unit = Unit(
        device=name,
        before=(("object-add", backend),),
        plug=(("device_add", device),),
        after=(("object-del", {"id": backend["id"]}),),
    )
    await memorydevices.plug(instance, unit, timeout=TAKE_TIMEOUT)
    return name


async def remove(instance: Instance, dimm: Dimm) -> None:
    """Raises ``GuestError`` (UnplugRefused, UnplugTimeout) when the guest keeps it."""
    after: tuple[Command, ...] = (("object-del", {"id": dimm.backend}),)
    try:
        await unplug(instance, dimm.device, after, timeout=GIVE_TIMEOUT)
    except GuestError as error:
        if error.reason != REFUSED or not (numbers := await _offline(instance, dimm)):
            raise
        try:
            await unplug(instance, dimm.device, after, timeout=GIVE_TIMEOUT)
        except GuestError:
            await memorydevices.set_online(instance, numbers, online=True)
            raise


async def sweep(instance: Instance) -> None:
    """Removes backends of DIMMs that are not there: an earlier daemon died between the two."""
    reply = await instance.qmp("qom-list", {"path": "/objects"})
    names = [str(one.get("name")) for one in reply if isinstance(one, dict)] if isinstance(reply, list) else []
    backends = [name for name in names if name.startswith(_BACKEND)]
    if backends:
        used = {dimm.backend for dimm in (await memorydevices.read(instance)).dimms}
        await discard(instance, [("object-del", {"id": name}) for name in backends if name not in used])


async def settle(instance: Instance, patience: float = ONLINE_TIMEOUT) -> None:
    """The guest takes all that was plugged on line by itself, or is helped."""

    async def settled() -> bool:
        return not await _off(instance)

    if not await poll(settled, patience):
        await memorydevices.set_online(instance, await _off(instance), online=True)


async def _off(instance: Instance) -> list[int]:
    """Blocks of plugged memory that are off line."""
    found = await memorydevices.blocks(instance)
    if found is None or all(block.online for block in found.blocks):
        return []
    memory = await memorydevices.read(instance)
    addresses = [dimm.address for dimm in memory.dimms]
    if memory.region is not None and memory.region.size:
        addresses.append(memory.region.address)
    first = min(addresses, default=0)
    return [one.number for one in found.blocks if addresses and not one.online and one.number * found.size >= first]


async def _offline(instance: Instance, dimm: Dimm) -> list[int]:
    """Has the DIMM's memory taken off line; which blocks. The guest numbers them by address."""
    found = await memorydevices.blocks(instance)
    if found is None:
        return []
    first, last = dimm.address // found.size, (dimm.address + dimm.size - 1) // found.size
    numbers = [block.number for block in found.blocks if first <= block.number <= last and block.online]
    if numbers:
        await memorydevices.set_online(instance, numbers, online=False)
    return numbers


def _bindings(update: Update) -> Bindings:
    """What the backend is made of, as at the start: the file system of huge pages is that of the main memory."""
    meta = update.vmi.metadata
    return Bindings(
        namespace=meta.namespace,
        name=meta.name,
        sockets=sockets_of(update.site.paths, update.uid),
        pins=update.record.pins,
        annotations=meta.annotations,
        hugetlbfs=_path(update.record.argv),
    )


def _path(argv: tuple[str, ...]) -> str:
    for word in argv:
        if word.startswith('{"qom-type":"memory-backend-file"'):
            return str(json.loads(word).get("mem-path", ""))
    return ""
