"""A volume on its way into a running machine: waiting for its claim, preparing its file, describing its device.

Must not change the machine.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from solovirt.api import registry
from solovirt.api.kubevirt.live.storage import claim_name
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.compile import blockdev, drives, render
from solovirt.compile.configurators import disks
from solovirt.compile.context import Context
from solovirt.compile.layout import Place
from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live import places
from solovirt.controllers.vmi.live.board import Board
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.diskstate import removable
from solovirt.controllers.vmi.lookup import claims_of
from solovirt.controllers.vmi.volume_status import ATTACHED, PENDING
from solovirt.host.model.bindings import VolumeBinding
from solovirt.hypervisor.plugging import Command, Unit
from solovirt.kit.json import get_str

POLL = 2.0
"""Seconds between looks at a claim that is not ready."""


async def prepared(update: Update, launcher: Launcher, board: Board, name: str) -> VolumeBinding | None:
    """The volume, ready to be opened by QEMU; None while it waits for something, which is shown.

    Raises what ``Volumes.prepare`` raises.
    """
    waits = launcher.waits_for(update.vmi, name)
    if waits:
        board.stay(name, PENDING, waits[0].reason, "; ".join(one.message for one in waits))
        board.again(POLL)
        return None
    binding = await launcher.prepare_volume(update.vmi, name)
    board.show(name, ATTACHED, "VolumePrepared", f"volume {name} is prepared on this host")
    return binding


def nodes(update: Update, index: int, binding: VolumeBinding) -> tuple[Command, ...]:
    """What adds the block nodes of disk ``index``, in order."""
    drive = drives.resolve(_context(update, binding), index)
    return tuple(("blockdev-add", render.arguments(node)) for node in disks.nodes(drive))


async def unit(update: Update, index: int, binding: VolumeBinding, place: Place) -> Unit:
    """Disk ``index`` of the spec as a device with its nodes."""
    ctx = _context(update, binding)
    drive = drives.resolve(ctx, index)
    arguments = render.arguments(disks.device(ctx, drive, place))
    # Which disk boots is settled at the start: QEMU refuses an index that another disk has.
    arguments.pop("bootindex", None)
    if "iothread" in arguments:
        threads = await _threads(update)
        if arguments["iothread"] not in threads:
            arguments.pop("iothread")
            if threads:
                arguments["iothread"] = threads[index % len(threads)]
    before = nodes(update, index, binding)
    return Unit(
        device=drive.device,
        before=before,
        plug=(("device_add", arguments),),
        after=tuple(("blockdev-del", {"node-name": name}) for name in names(before)),
    )


def names(added: Iterable[Command]) -> list[str]:
    """Of the nodes that these commands make, in the order in which they can be removed."""
    return removable(get_str(arguments, "node-name") for _, arguments in added)


def holders(update: Update, name: str) -> str:
    """Who may have the volume's claim open, for a sentence: other VMIs with it, else "another program"."""
    vmi = update.vmi
    claims = {claim_name(volume) for volume in vmi.spec.volumes if volume.name == name}
    others = [
        f"VM {other.metadata.name}"
        for other in update.site.objects.list(registry.VIRTUAL_MACHINE_INSTANCES, vmi.metadata.namespace).items
        if other.metadata.uid != vmi.metadata.uid and claims & claims_of(other)
    ]
    return ", ".join(others) or "another program"


def file_of(update: Update, volume: Volume) -> str:
    """The file of the claim that the volume is on; "" for other sources."""
    claim = claim_name(volume)
    return str(update.site.claims.disk(update.vmi.metadata.namespace, claim)) if claim else ""


def top_node(name: str) -> str:
    return blockdev.node_name(name)


async def _threads(update: Update) -> list[str]:
    found = await update.instance.qmp("query-iothreads")
    return sorted(get_str(one, "id") for one in found if isinstance(one, dict)) if isinstance(found, list) else []


def _context(update: Update, binding: VolumeBinding) -> Context:
    bare = places.context(update)
    bindings = msgspec.structs.replace(bare.bindings, volumes={binding.name: binding})
    return places.context(update, bindings)
