"""Media of CD-ROM drives: taken out, put in, exchanged; the drive stays.

A guest that locked its tray (a mounted disc) is asked first, and then the tray is opened by force, as KubeVirt does:
the spec is what shall be, and a disc is never written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.compile.context import device_id
from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live import attaching
from solovirt.controllers.vmi.live.board import Board
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.diskstate import Present
from solovirt.controllers.vmi.volume_status import DETACHING
from solovirt.hypervisor import blocks
from solovirt.hypervisor.blocks import Medium
from solovirt.hypervisor.plugging import discard
from solovirt.kit.errors import SolovirtError


class Media:
    """The drives of one machine, as ``present`` has them. ``forget``: what is remembered of a medium of that name."""

    def __init__(
        self,
        update: Update,
        launcher: Launcher,
        board: Board,
        present: Present,
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._update = update
        self._launcher = launcher
        self._board = board
        self._present = present
        self._forget = forget

    async def apply(self, index: int, disk: Disk, volume: Volume | None) -> int | None:
        """Makes a drive what the spec says. The size of what is in it now and is not remembered yet; else None.

        Raises what preparing and QMP raise.
        """
        device, instance = device_id(disk.name), self._update.instance
        medium = self._present.media.get(device, Medium())
        is_open = disk.cdrom is not None and disk.cdrom.tray == "open"
        if volume is not None and not is_open and self._has(disk.name, volume, medium.node):
            return await self._finished(disk.name, medium)
        chain = self._present.chain(disk.name)
        nothing_in_it = not chain and not medium.node
        if not (nothing_in_it and medium.tray_open == is_open):
            await self._empty(disk.name, medium, chain)
            await (blocks.open_tray(instance, device) if is_open else blocks.close_tray(instance, device))
        return await self._insert(index, disk.name) if volume is not None and not is_open else None

    async def _finished(self, name: str, medium: Medium) -> int | None:
        """It is there: put in at the start, or by a daemon that may have got no further."""
        if name in self._update.record.sizes:
            return None
        if medium.tray_open:
            await blocks.close_tray(self._update.instance, device_id(name))
        return self._present.size(name)

    async def _empty(self, name: str, medium: Medium, chain: list[str]) -> None:
        instance, device = self._update.instance, device_id(name)
        # Or the next daemon would take another medium, put in with its tray still open, for this one.
        await self._forget(name)
        if medium.node:
            self._board.show(name, DETACHING, "MediumEjected", f"the medium of {name} is taken out")
            if await blocks.eject(instance, device):
                text = f"the guest had locked the tray of {name}; it was opened by force"
                self._update.site.events.warning(self._update.vmi, "TrayForced", text)
        await blocks.remove_nodes(instance, chain)
        self._board.done(name)

    def _has(self, name: str, volume: Volume, node: str) -> bool:
        if node != attaching.top_node(name):
            return False
        file = attaching.file_of(self._update, volume)
        return not file or self._present.file(name) == file

    async def _insert(self, index: int, name: str) -> int | None:
        binding = await attaching.prepared(self._update, self._launcher, self._board, name)
        if binding is None:
            return None
        instance, device = self._update.instance, device_id(name)
        added = attaching.nodes(self._update, index, binding)
        names = attaching.names(added)
        try:
            for command, arguments in added:
                await instance.qmp(command, arguments)
            await blocks.insert(instance, device, attaching.top_node(name))
        except SolovirtError:
            await discard(instance, [("blockdev-del", {"node-name": node}) for node in names])
            raise
        return binding.image.size or 0
