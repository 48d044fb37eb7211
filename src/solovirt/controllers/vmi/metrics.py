"""Figures about host and VM for guests that ask for them: over a channel, and on disks of downwardMetrics volumes."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.host.figures import host_figures
from solovirt.host.volumes import metrics, overlay
from solovirt.host.volumes.metrics import Metric
from solovirt.hypervisor import vhostmd
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import Json

log = logging.getLogger(__name__)

REFRESH = 5.0
"""Seconds between two writings of a disk, as in KubeVirt."""
AGAIN = 5.0
"""Seconds until a channel that broke is opened again."""
_KIB = 1024
_UTIME, _STIME = 11, 12
"""Places in /proc/<pid>/stat behind the name in brackets (proc(5))."""


class Metrics:
    """One task for each machine that wants figures."""

    def __init__(self, site: Site) -> None:
        self._site = site
        version = ".".join(map(str, site.facts.qemu.version))
        self._product = f"qemu-{version}"
        self._tasks = TaskSet("metrics")
        self._served: dict[str, list[asyncio.Task[None]]] = {}

    def watch(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        """Begins to serve a machine, unless that is done already or nobody asks for it."""
        uid = instance.uid
        if uid in self._served:
            return
        disks = [volume.name for volume in vmi.spec.volumes if volume.downward_metrics is not None]
        tasks = []
        if vmi.spec.domain.devices.downward_metrics is not None:
            tasks.append(self._tasks.spawn(self._answer(instance), f"metrics channel {uid}"))
        if disks:
            directory = self._site.paths.instance(uid)
            paths = [overlay.metrics_path(directory, name) for name in disks]
            tasks.append(self._tasks.spawn(self._write(instance, paths), f"metrics disk {uid}"))
        if tasks:
            self._served[uid] = tasks

    def forget(self, uid: str) -> None:
        for task in self._served.pop(uid, []):
            task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    async def document(self, instance: Instance) -> bytes:
        """The figures as XML."""
        return await asyncio.to_thread(metrics.document, await self._figures(instance))

    async def _answer(self, instance: Instance) -> None:
        path = instance.identity.sockets.downward_metrics
        while not instance.has_exited:
            try:
                await vhostmd.serve(instance.connect(path), lambda: self.document(instance))
            except (OSError, SolovirtError) as error:
                log.debug("instance %s: metrics channel: %s", instance.uid, error)
            await asyncio.sleep(AGAIN)

    async def _write(self, instance: Instance, paths: list[Path]) -> None:
        while not instance.has_exited:
            figures = await self._figures(instance)
            for path in paths:
                try:
                    await asyncio.to_thread(metrics.refresh, path, figures)
                except OSError as error:
                    log.warning("instance %s: %s cannot be written: %s", instance.uid, path.name, error.strerror)
            await asyncio.sleep(REFRESH)

    async def _figures(self, instance: Instance) -> list[Metric]:
        found = await asyncio.to_thread(host_figures, self._site.facts.node_name, self._product)
        try:
            cpus = await instance.qmp("query-cpus-fast")
            memory = await instance.qmp("query-memory-size-summary")
        except SolovirtError as error:
            log.debug("instance %s: no figures of the guest: %s", instance.uid, error)
            return found
        threads = [cpu["thread-id"] for cpu in cpus if isinstance(cpu, dict)] if isinstance(cpus, list) else []
        seconds = await asyncio.to_thread(_cpu_seconds, instance.pid, threads)
        size = memory.get("base-memory") if isinstance(memory, dict) else None
        kib = size // _KIB if isinstance(size, int) else 0
        return [
            *found,
            Metric("vm", "TotalCPUTime", seconds, "s"),
            Metric("vm", "ResourceProcessorLimit", len(threads)),
            Metric("vm", "PhysicalMemoryAllocatedToVirtualSystem", kib, "KiB"),
            Metric("vm", "ResourceMemoryLimit", kib, "KiB"),
        ]


def _cpu_seconds(pid: int, threads: list[Json]) -> float:
    """What the vCPUs' threads have used; those that are gone count nothing."""
    ticks = 0
    for thread in threads:
        try:
            text = Path(f"/proc/{pid}/task/{thread}/stat").read_text()
            words = text.rpartition(")")[2].split()
            ticks += int(words[_UTIME]) + int(words[_STIME])
        except (OSError, IndexError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")
