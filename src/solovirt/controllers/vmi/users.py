"""Which user a machine runs as, and what was opened to it: for a root daemon only.

A user id is reserved by a ``grants`` record before anything is given to it, and is free again only when nothing of the
machine is left, so that no other machine inherits its files.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vmi.lookup import claims_of
from solovirt.controllers.vmi.records import GrantRecord, MachineRecords
from solovirt.host import access
from solovirt.host.images.store import ImageStore
from solovirt.host.volumes.claims import Claims
from solovirt.kit.errors import SolovirtError

log = logging.getLogger(__name__)

KVM = Path("/dev/kvm")


class Users:
    def __init__(self, records: MachineRecords, claims: Claims, images: ImageStore) -> None:
        self._records = records
        self._claims = claims
        self._images = images
        self._turn = asyncio.Lock()
        # Anywhere: ids given back before a restart rest too, and daemons side by side do not meet.
        self._last = access.POOL.base + secrets.randbelow(access.POOL.count)

    async def take(self, vmi: VirtualMachineInstance, nodes: Iterable[Path] = ()) -> tuple[int, int] | None:
        """(uid, gid) for this VMI's machine, the same at every call; None when we are not root.

        ``nodes`` are device files that will be opened to it besides its disks.
        """
        if not access.is_root():
            return None
        uid = vmi.metadata.uid
        record = self._records.grant(uid)
        if record is None:
            in_use = {grant.uid for grant in self._records.grants().values()} | await asyncio.to_thread(
                access.live_users
            )
            self._last = number = access.POOL.allocate(in_use, last=self._last)
            record = GrantRecord(number, tuple(sorted(self._shared(vmi))))
        # Volumes that come while the machine runs are prepared side by side.
        async with self._turn:
            record = self._records.grant(uid) or record
            paths = tuple(sorted({*record.paths, *map(str, nodes)}))
            await self._records.put_grant(uid, GrantRecord(record.uid, paths))
        return record.uid, record.uid

    def opened(self, uid: str) -> set[str]:
        """Paths that the VMI's machine may have open as its user, images aside."""
        record = self._records.grant(uid)
        return set(record.paths) if record is not None else set()

    async def take_back(self, uid: str, paths: Iterable[str]) -> None:
        """Closes single files to the machine: it does not have them open any more."""
        closed = set(paths)
        async with self._turn:
            record = self._records.grant(uid)
            if record is not None and closed & set(record.paths):
                await access.revoke(record.uid, [Path(path) for path in closed])
                kept = tuple(path for path in record.paths if path not in closed)
                await self._records.put_grant(uid, GrantRecord(record.uid, kept))

    async def revoke(self, uid: str) -> None:
        """Ends whatever still runs as the machine's user and closes every file that was opened to it.

        The user id stays reserved. Raises ``HostError`` when a process cannot be ended.
        """
        record = self._records.grant(uid)
        if record is None:
            return
        if ended := await asyncio.to_thread(access.end_all_of, record.uid):
            log.warning("instance %s: killed %d processes that were left of user %d", uid, ended, record.uid)
        opened = await asyncio.to_thread(_opened_to, record.uid, [*map(Path, record.paths), *self._blobs()])
        await access.revoke(record.uid, opened)

    async def give_back(self, uid: str) -> None:
        """Once nothing of the machine is left."""
        await self.revoke(uid)
        await self._records.drop_grant(uid)

    def groups(self, accel: str) -> tuple[int, ...]:
        """Supplementary groups that QEMU needs beside its own: that of /dev/kvm."""
        if accel != "kvm":
            return ()
        try:
            return (os.stat(KVM).st_gid,)
        except OSError:
            return ()

    def _shared(self, vmi: VirtualMachineInstance) -> set[str]:
        """Files outside of the VMI's directory that its disks may be on, images aside."""
        paths = {volume.host_disk.path for volume in vmi.spec.volumes if volume.host_disk is not None}
        for name in claims_of(vmi):
            try:
                paths.add(str(self._claims.disk(vmi.metadata.namespace, name)))
            except SolovirtError:
                continue  # no such claim can exist
        return paths

    def _blobs(self) -> list[Path]:
        try:
            return [Path(entry.path) for entry in os.scandir(self._images.blobs)]
        except FileNotFoundError:
            return []


def _opened_to(uid: int, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if uid in access.granted(path)]
