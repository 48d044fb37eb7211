"""The machines behind the VMIs: found again after a restart, told apart from what is gone, ended.

Must not know phases or conditions.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from solovirt.controllers.vmi.records import LaunchRecord, MachineRecords
from solovirt.host.images import files
from solovirt.host.places import sockets_of
from solovirt.hypervisor import helpers, lock, logfile
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import Identity, Pinning, RunState
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.errors import SolovirtError
from solovirt.kit.paths import Paths

log = logging.getLogger(__name__)

QUIT_PATIENCE = 15.0
"""Seconds that QEMU has to flush its disks and go before it is killed."""


def qemu_log(paths: Paths, uid: str) -> Path:
    return paths.instance(uid) / logfile.NAME


def pinning_of(record: LaunchRecord) -> Pinning | None:
    cpus = record.cpus
    return Pinning(cpus.vcpus, cpus.emulator, record.realtime) if cpus is not None else None


class Machines:
    """``gone`` are machines that ended while we watched: nobody needs to look for them again."""

    def __init__(self, paths: Paths, hypervisor: Hypervisor, records: MachineRecords) -> None:
        self._paths = paths
        self._hypervisor = hypervisor
        self._records = records
        self._gone: set[str] = set()

    def exited(self, uid: str) -> None:
        self._gone.add(uid)

    def launching(self, uid: str) -> None:
        self._gone.discard(uid)

    def forget(self, uid: str) -> None:
        self._gone.discard(uid)

    def known(self, uid: str) -> Instance | None:
        """The machine, as far as it is watched already."""
        return self._hypervisor.get(uid)

    async def find(self, uid: str, *, begun: bool) -> Instance | None:
        """The machine, if one runs; also one that an earlier daemon started: one that was not ``begun`` is let go.

        Raises ``Unavailable``, ``TimedOut`` or ``HostError`` when that cannot be found out now.
        """
        instance = self._hypervisor.get(uid)
        if instance is not None:
            return instance
        record = self._records.launch(uid)
        if record is None or uid in self._gone:
            return None
        instance = await self._hypervisor.adopt(self.identity(uid, record, begun=begun))
        if instance is None:
            self._gone.add(uid)
        return instance

    def identity(self, uid: str, record: LaunchRecord, *, begun: bool) -> Identity:
        return Identity(
            uid=uid,
            uuid=record.uuid,
            directory=self._paths.instance(uid),
            sockets=sockets_of(self._paths, uid),
            run_as=record.run_as,
            # A paused machine that is reset looks like one that has not begun.
            paused=record.paused or begun,
            pinning=pinning_of(record),
            links_down=record.links_down,
        )

    async def end(self, instance: Instance) -> None:
        """Quit in order; kill what does not. Raises ``TimedOut`` when it hangs in the kernel."""
        try:
            async with asyncio.timeout(QUIT_PATIENCE):
                await instance.quit()
        except (TimeoutError, SolovirtError) as error:
            if not instance.has_exited:
                log.warning("instance %s did not quit (%s), killing it", instance.uid, error or "too slow")
            await instance.kill()

    async def remove(self, uid: str) -> None:
        """Whatever still holds the lock dies; sockets and their directory go. The state directory stays."""
        if await asyncio.to_thread(self._paths.instance(uid).is_dir):
            killed = await lock.kill_holders(self._paths.instance(uid))
            killed += await helpers.kill_all(self._paths.instance(uid))
            if killed:
                log.warning("killed what was left of instance %s: process %s", uid, killed)
        await asyncio.to_thread(_remove_directory, self._paths.sockets(uid))

    def last_words(self, uid: str) -> str:
        """The end of qemu.log, safe to show."""
        try:
            fd = os.open(qemu_log(self._paths, uid), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return logfile.last_lines(fd).replace("\n", " | ")
        finally:
            os.close(fd)


def has_powered_off(instance: Instance) -> bool:
    return instance.run_state is RunState.SHUTDOWN


def _remove_directory(path: Path) -> None:
    """With everything that its machine left in there; no link is followed. What cannot be removed is told."""
    try:
        files.remove_tree(path)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error.strerror or error)
