"""The daemon's first minute: every machine that runs is found again, what belongs to nobody goes.

Runs before any reconciler, so that none of them mistakes a machine not found yet for one that is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from solovirt.api import registry
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.controllers.vmi.status import has_begun
from solovirt.host import access, kept
from solovirt.kit.errors import SolovirtError

log = logging.getLogger(__name__)

_AT_ONCE = 64


async def adopt_all(site: Site, machines: VirtualMachineInstances) -> int:
    """Finds every machine of a VMI that exists; the number found. One that does not answer now is tried again later."""
    vmis = {vmi.metadata.uid: vmi for vmi in site.objects.list(registry.VIRTUAL_MACHINE_INSTANCES).items}
    limit = asyncio.Semaphore(_AT_ONCE)

    async def adopt(uid: str) -> bool:
        async with limit:
            try:
                return await machines.machines.find(uid, begun=has_begun(vmis[uid])) is not None
            except SolovirtError as error:
                log.warning("instance %s cannot be looked at now: %s", uid, error)
                return False

    wanted = [uid for uid in machines.records.launches() if uid in vmis]
    for uid in wanted:
        meta = vmis[uid].metadata
        machines.know(uid, (meta.namespace, meta.name))
    return sum(await asyncio.gather(*(adopt(uid) for uid in wanted)))


async def sweep(site: Site, machines: VirtualMachineInstances) -> None:
    """Ends and removes everything of VMIs that are no more: processes, sockets, files, rights, records."""
    alive = {vmi.metadata.uid for vmi in site.objects.list(registry.VIRTUAL_MACHINE_INSTANCES).items}
    left = await asyncio.to_thread(_on_disk, [site.paths.instance("x").parent, site.paths.sockets("x").parent])
    for uid in sorted((left | machines.records.uids()) - alive):
        log.warning("removing what is left of instance %s, whose object is gone", uid)
        try:
            await machines.ender.discard(uid)
        except (SolovirtError, OSError, ValueError) as error:
            log.error("what is left of instance %s cannot be removed: %s", uid, error)
    await _sweep_kept(site, alive)
    await _sweep_grants(site, machines)


async def _sweep_kept(site: Site, alive: set[str]) -> None:
    """UEFI variables and TPMs of VMs that are no more."""
    owners = alive | {vm.metadata.uid for vm in site.objects.list(registry.VIRTUAL_MACHINES).items}
    for uid in sorted(await asyncio.to_thread(kept.existing, site.paths) - owners):
        try:
            await asyncio.to_thread(kept.discard, site.paths, uid)
        except SolovirtError as error:
            log.error("what was kept for VM %s cannot be removed: %s", uid, error)


async def _sweep_grants(site: Site, machines: VirtualMachineInstances) -> None:
    """Rights that were given by a daemon that died before it could take them back."""
    if not access.is_root():
        return
    claims = [site.claims.disk(*key) for key in await site.claims.existing()]
    blobs = await asyncio.to_thread(_files, site.images.blobs)
    live = {record.uid for record in machines.records.grants().values()}
    await access.revoke_stale([*(path for path in claims if path.exists()), *blobs], live)


def _on_disk(roots: list[Path]) -> set[str]:
    return {entry.name for root in roots if root.is_dir() for entry in os.scandir(root)}


def _files(root: Path) -> list[Path]:
    return [Path(entry.path) for entry in os.scandir(root)] if root.is_dir() else []
