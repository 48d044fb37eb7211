"""Disks of hotpluggable volumes come and go, media of drives change, while the guest runs.

Every look begins with what QEMU has; what an earlier daemon left half done is finished or undone. One disk that waits,
or that the guest keeps, holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import msgspec

from solovirt.api.kubevirt.live.storage import is_hotpluggable, plug_problem
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.compile.context import device_id
from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live import attaching, diskstate, places
from solovirt.controllers.vmi.live.board import Board
from solovirt.controllers.vmi.live.concern import Report, Update, beyond_compute
from solovirt.controllers.vmi.live.diskstate import DRIVES, Present
from solovirt.controllers.vmi.live.media import Media
from solovirt.controllers.vmi.lookup import claims_of
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.controllers.vmi.volume_status import BOUND, DETACHING, MOUNTED, PENDING, ready
from solovirt.hypervisor import blocks, plugging
from solovirt.kit.errors import SolovirtError

AGAIN = 5.0
"""Seconds until something that failed, or that the guest refused, is tried again."""
IN_USE = "VolumeInUse"


class Disks:
    """The concern. ``launcher`` prepares volumes."""

    name = "disks"

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return beyond_compute(spec)

    async def apply(self, update: Update) -> Report:
        work = _Work(update, self._launcher, await diskstate.look(update.instance))
        return await work.do()


class _Work:
    """One look at one machine."""

    def __init__(self, update: Update, launcher: Launcher, present: Present) -> None:
        self._update = update
        self._launcher = launcher
        self._present = present
        self._board = Board(update)
        self._media = Media(update, launcher, self._board, present, self._forget_size)
        spec = update.vmi.spec
        self._volumes = {volume.name: volume for volume in spec.volumes}
        self._disks = spec.domain.devices.disks
        self._leaving = {one.name for one in update.vmi.status.volume_status if one.phase == DETACHING}

    async def do(self) -> Report:
        names = [disk.name for disk in self._disks]
        gone = self._present.unwanted(names)
        await self._clear([*names, *gone])
        jobs = [self._told(name, self._remove(name)) for name in gone]
        for index, disk in enumerate(self._disks):
            volume = self._volumes.get(disk.name)
            if self._present.devices.get(device_id(disk.name)) in DRIVES:
                jobs.append(self._told(disk.name, self._drive(index, disk, volume)))
            elif volume is not None and is_hotpluggable(volume) and not plug_problem(disk):
                jobs.append(self._told(disk.name, self._disk(index, disk, volume)))
        await asyncio.gather(*jobs)
        await self._forget_files()
        return self._board.report()

    async def _told(self, name: str, work: Coroutine[None, None, None]) -> None:
        """One disk's trouble is its own."""
        try:
            await work
        except SolovirtError as error:
            if self._update.instance.has_exited:
                return
            locked = " lock" in str(error) and "Failed to get" in str(error)
            reason = IN_USE if locked else error.reason or "VolumeError"
            text = f"{attaching.holders(self._update, name)} has its disk open" if locked else str(error)
            unplugging = error.reason in (plugging.REFUSED, plugging.TIMED_OUT)
            self._board.problem(name, reason, text)
            self._board.stay(name, DETACHING if unplugging else PENDING, reason, text)
            self._board.again(AGAIN)
            self._warn_once(name, reason, text)

    def _warn_once(self, name: str, reason: str, text: str) -> None:
        before = {one.name: one for one in self._update.vmi.status.volume_status}.get(name)
        if before is None or (before.reason, before.message) != (reason, text):
            self._update.site.events.warning(self._update.vmi, reason, f"{name}: {text}")

    async def _disk(self, index: int, disk: Disk, volume: Volume) -> None:
        name, device = disk.name, device_id(disk.name)
        here = device in self._present.devices
        right = here and diskstate.is_right(self._present, disk, volume, attaching.file_of(self._update, volume))
        if right and name not in self._leaving:
            await self._remember_size(name, self._present.size(name))
            return
        if here:
            await self._unplug(name)
        elif chain := self._present.chain(name):
            await blocks.remove_nodes(self._update.instance, chain)
        await self._plug(index, name)

    async def _plug(self, index: int, name: str) -> None:
        update, board = self._update, self._board
        board.show(name, BOUND)
        binding = await attaching.prepared(update, self._launcher, board, name)
        if binding is None:
            return
        place = await places.take_place(update, device_id(name))
        unit = await attaching.unit(update, index, binding, place)
        board.show(name, MOUNTED, "VolumeMountedToPod", f"Volume {name} is open to the machine")
        await plugging.plug(update.instance, unit)
        await self._arrived(name, binding.image.size or 0)

    async def _drive(self, index: int, disk: Disk, volume: Volume | None) -> None:
        before = self._update.record.sizes
        inserted = await self._media.apply(index, disk, volume)
        if inserted is not None:
            await self._arrived(disk.name, inserted)
        elif volume is None and disk.name in before:
            await self._forget_size(disk.name)
            self._update.site.events.normal(
                self._update.vmi, "VolumeUnplugged", f"Volume {disk.name} has been unplugged"
            )

    async def _arrived(self, name: str, size: int) -> None:
        await self._remember_size(name, size)
        self._board.done(name)
        said = ready(name)
        self._update.site.events.normal(self._update.vmi, said.reason, said.message)

    async def _remove(self, name: str) -> None:
        await self._unplug(name)
        await places.leave_place(self._update, device_id(name))
        await self._forget_size(name)
        self._board.done(name)
        self._update.site.events.normal(self._update.vmi, "VolumeUnplugged", f"Volume {name} has been unplugged")

    async def _unplug(self, name: str) -> None:
        self._board.show(name, DETACHING, "VolumeDetaching", f"the guest is asked to let {name} go")
        await plugging.unplug(self._update.instance, device_id(name))
        await blocks.remove_nodes(self._update.instance, self._present.chain(name))

    async def _clear(self, names: list[str]) -> None:
        """What belongs to no disk any more: nodes of disks that went, and what was remembered of them."""
        leftovers = self._present.leftovers(names)
        if leftovers:
            try:
                await blocks.remove_nodes(self._update.instance, leftovers)
            except SolovirtError:
                self._board.again(AGAIN)
        known = set(names) | {one.removeprefix(device_id("")) for one in self._present.devices}
        for name in [name for name in self._update.record.sizes if name not in known and name not in self._volumes]:
            await self._forget_size(name)
        await places.leave_unused(self._update)

    async def _forget_files(self) -> None:
        """Files of claims that were opened to the machine, and that it does not have open any more."""
        opened, vmi, site = self._launcher.opened(self._update.uid), self._update.vmi, self._update.site
        root = str(site.paths.volumes)
        wanted = {str(site.claims.disk(vmi.metadata.namespace, name)) for name in claims_of(vmi)}
        stale = {path for path in opened if path.startswith(f"{root}/")} - wanted
        if stale:
            used = {node.file for node in (await blocks.nodes(self._update.instance)).values()}
            await self._launcher.close_volumes(vmi, stale - used)

    async def _remember_size(self, name: str, size: int) -> None:
        def change(record: LaunchRecord) -> LaunchRecord:
            return msgspec.structs.replace(record, sizes={**record.sizes, name: size})

        if self._update.record.sizes.get(name) != size:
            await self._update.remember(change)

    async def _forget_size(self, name: str) -> None:
        def change(record: LaunchRecord) -> LaunchRecord:
            sizes = {known: size for known, size in record.sizes.items() if known != name}
            return msgspec.structs.replace(record, sizes=sizes)

        if name in self._update.record.sizes:
            await self._update.remember(change)
