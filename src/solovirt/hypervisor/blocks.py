"""Block nodes and removable media of a running machine, over QMP.

Names of nodes are the caller's. Source: QEMU qapi/block-core.json, qapi/block.json.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from solovirt.hypervisor.happenings import Listener
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError, SolovirtError, TimedOut, Unavailable
from solovirt.kit.json import Json, get_int, get_object, get_str

log = logging.getLogger(__name__)

TRAY_TIMEOUT = 5.0
"""Seconds that a guest has to open a tray which it locked, before it is opened by force."""
_BUSY_TIMEOUT = 5.0
"""Seconds until QEMU has let go of a node whose device is gone: requests that are on their way end first."""
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Node:
    """``file`` is the path that a storage node has open ("" for others), ``size`` is virtual, in bytes."""

    name: str
    file: str = ""
    read_only: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True)
class Medium:
    """What is in a drive: the node ("" when it is empty), and how its tray is."""

    node: str = ""
    tray_open: bool = False
    locked: bool = False


async def nodes(instance: Instance) -> dict[str, Node]:
    """All named nodes of the machine."""
    found = await instance.qmp("query-named-block-nodes", {"flat": True})
    result: dict[str, Node] = {}
    for one in _objects(found):
        name = get_str(one, "node-name")
        file = get_str(one, "file") if get_str(one, "drv") in ("file", "host_device") else ""
        size = get_int(get_object(one, "image"), "virtual-size")
        result[name] = Node(name, file, one.get("ro") is True, size)
    return result


async def media(instance: Instance) -> dict[str, Medium]:
    """Removable drives that have an id, and what is in them."""
    found = await instance.qmp("query-block")
    return {
        get_str(one, "qdev").rpartition("/")[2]: Medium(
            get_str(get_object(one, "inserted"), "node-name"), one.get("tray_open") is True, one.get("locked") is True
        )
        for one in _objects(found)
        if get_str(one, "qdev") and one.get("removable") is True
    }


async def remove_nodes(instance: Instance, names: Sequence[str]) -> None:
    """Removes nodes, each before those that it refers to. One that is not there is as good as removed.

    Raises ``GuestError`` when a node is still in use after 5 s.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT
    for name in names:
        while True:
            try:
                await instance.qmp("blockdev-del", {"node-name": name})
                break
            except GuestError as error:
                if "Failed to find node" in str(error):
                    break
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_PAUSE)


async def eject(instance: Instance, device: str, *, patience: float = TRAY_TIMEOUT) -> bool:
    """Opens the tray and takes the medium out; True when it had to be by force.

    A guest that locked the tray (a mounted disc) is asked first, as a button would; it has ``patience`` seconds.
    """
    forced = await open_tray(instance, device, patience=patience)
    try:
        await instance.qmp("blockdev-remove-medium", {"id": device})
    except GuestError as error:
        if "is not open" not in str(error):
            raise
        # The guest closed it again at once.
        await instance.qmp("blockdev-open-tray", {"id": device, "force": True})
        await instance.qmp("blockdev-remove-medium", {"id": device})
        forced = True
    return forced


async def open_tray(instance: Instance, device: str, *, patience: float = TRAY_TIMEOUT) -> bool:
    """True when it had to be by force."""
    with instance.happenings.listen() as events:
        # For a locked tray this only tells the guest that somebody pressed the button.
        await instance.qmp("blockdev-open-tray", {"id": device})
        state = (await media(instance)).get(device, Medium())
        if state.tray_open or not state.locked or await _opened(events, device, patience):
            return False
    log.info("instance %s: the tray of %s is opened by force", instance.uid, device)
    await instance.qmp("blockdev-open-tray", {"id": device, "force": True})
    return True


async def insert(instance: Instance, device: str, node: str) -> None:
    """Puts a medium into a drive whose tray is open, and closes it. Undone when any step fails."""
    if not (await media(instance)).get(device, Medium()).tray_open:
        await instance.qmp("blockdev-open-tray", {"id": device, "force": True})
    await instance.qmp("blockdev-insert-medium", {"id": device, "node-name": node})
    try:
        await close_tray(instance, device)
    except SolovirtError:
        await instance.qmp("blockdev-remove-medium", {"id": device})
        raise


async def close_tray(instance: Instance, device: str) -> None:
    await instance.qmp("blockdev-close-tray", {"id": device})


async def resize(instance: Instance, node: str, size: int) -> None:
    """Makes a disk larger; the guest is told. ``size`` in bytes. Raises ``GuestError`` (no space, read-only)."""
    await instance.qmp("block_resize", {"node-name": node, "size": size})


async def _opened(events: Listener, device: str, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            name, data = await events.next(max(deadline - time.monotonic(), 0.0))
        except (TimedOut, Unavailable):
            return False
        moved = name == "DEVICE_TRAY_MOVED" and data.get("tray-open") is True
        if moved and get_str(data, "id").rpartition("/")[2] == device:
            return True


def _objects(found: Json) -> list[dict[str, Json]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
