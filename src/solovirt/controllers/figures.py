"""Figures of all running machines, measured when somebody asks: for ``top`` and for Prometheus.

Machines are measured side by side, each within its own time limit; what is younger than a second is shared. Must not
know HTTP, nor what is made of the figures.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.compile.netdev import netdev_id
from solovirt.controllers.site import Site
from solovirt.controllers.tallies import Tallies
from solovirt.controllers.vmi.records import LaunchRecord, MachineRecords
from solovirt.hypervisor.figures import Figures
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.meter import Meter, Wiring
from solovirt.kit import json
from solovirt.kit.aio import TaskSet
from solovirt.kit.json import get_str

SHARED = 0.9
"""Seconds for which a measurement counts for whoever asks next; who asks each second gets a new one each time."""
LIMIT = 5.0
"""Seconds for one machine, whatever it does."""
REST_AFTER = 300.0
"""Seconds without a question after which the guests' balloon drivers may be silent again."""
VMIS = registry.VIRTUAL_MACHINE_INSTANCES


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """One running VMI. ``figures`` is None when it could not be measured, for the reason that ``error`` says."""

    namespace: str
    name: str
    uid: str
    figures: Figures | None
    error: str = ""
    console_open: bool = False

    @property
    def errors(self) -> tuple[str, ...]:
        """Everything that was not measured."""
        found = self.figures.errors if self.figures is not None else ()
        return (self.error, *found) if self.error else found


@dataclass(frozen=True, slots=True)
class Host:
    """This host, for comparison: ``cpus`` are those that may be used, ``memory`` is in bytes."""

    node: str
    cpus: int
    memory: int
    accel: str


class FiguresOfMachines:
    """``queues`` tells how many objects wait for each controller."""

    def __init__(self, site: Site, records: MachineRecords, queues: Callable[[], Mapping[str, int]]) -> None:
        self.tallies = Tallies()
        self._site = site
        self._records = records
        self._queues = queues
        self._meters: dict[str, Meter] = {}
        self._begun: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._results: dict[str, MachineFigures] = {}
        self._tasks = TaskSet("figures")
        self._rest: asyncio.TimerHandle | None = None

    def host(self) -> Host:
        facts = self._site.facts
        return Host(facts.node_name, len(os.sched_getaffinity(0)), facts.memory, facts.accel)

    def queues(self) -> Mapping[str, int]:
        """Controller -> objects that wait for it or are being worked on."""
        return self._queues()

    async def measure(self, namespace: str = "", name: str = "") -> Sequence[MachineFigures]:
        """All machines that run (of a namespace, of a name), sorted. Each takes its own time, together about 2 s at
        most; a machine that hangs comes with errors, one that ends meanwhile does not come at all."""
        self._put_off_rest()
        found = [vmi for vmi in self._site.objects.list(VMIS).items if vmi.status.phase == "Running"]
        self._forget_all_but({vmi.metadata.uid for vmi in found})
        asked = [vmi for vmi in found if namespace in ("", vmi.metadata.namespace) and name in ("", vmi.metadata.name)]
        tasks = [task for vmi in asked if (task := self._begin(vmi)) is not None]
        if tasks:
            await asyncio.wait(tasks)
        uids = [vmi.metadata.uid for vmi in asked if self._site.hypervisor.get(vmi.metadata.uid) is not None]
        return [self._results[uid] for uid in uids if uid in self._results]

    async def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        await self._tasks.close()

    def _begin(self, vmi: VirtualMachineInstance) -> asyncio.Task[None] | None:
        """The measurement that is under way or fresh, else a new one. It goes on when who asked has left."""
        uid = vmi.metadata.uid
        instance = self._site.hypervisor.get(uid)
        if instance is None:
            return None
        now = asyncio.get_running_loop().time()
        known = self._begun.get(uid)
        if known is not None and (not known[1].done() or now - known[0] < SHARED):
            return known[1]
        task = self._tasks.spawn(self._measure(vmi, instance), f"figures {uid}")
        self._begun[uid] = (now, task)
        return task

    async def _measure(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        meta = vmi.metadata
        meter = self._meters.get(meta.uid)
        if meter is None or meter.instance is not instance:
            meter = self._meters[meta.uid] = Meter(instance)
        self._results.pop(meta.uid, None)
        figures, error = None, ""
        try:
            async with asyncio.timeout(LIMIT):
                figures = await meter.measure(wiring(vmi, self._records.launch(meta.uid)))
        except TimeoutError:
            error = f"not measured within {LIMIT:g} s"
        console = instance.console_open
        self._results[meta.uid] = MachineFigures(meta.namespace, meta.name, meta.uid, figures, error, console)

    def _forget_all_but(self, uids: set[str]) -> None:
        for uid in self._begun.keys() - uids:
            del self._begun[uid]
            self._meters.pop(uid, None)
            self._results.pop(uid, None)

    def _put_off_rest(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(REST_AFTER, self._begin_rest)

    def _begin_rest(self) -> None:
        self._rest = None
        for uid, meter in self._meters.items():
            self._tasks.spawn(meter.rest(), f"rest {uid}")


def wiring(vmi: VirtualMachineInstance, record: LaunchRecord | None) -> Wiring:
    """How a machine's interfaces are told apart: by their addresses, and by tap devices of its command line."""
    macs = {nic.mac.lower(): nic.name for nic in vmi.status.interfaces if nic.name and nic.mac}
    devices: dict[str, str] = {}
    words = record.argv if record is not None else ()
    for flag, value in itertools.pairwise(words):
        if flag == "-netdev" and value.startswith("{"):
            parts = json.decode_object(value)
            if get_str(parts, "type") == "tap" and (device := get_str(parts, "ifname")):
                devices[get_str(parts, "id")] = device
    names = {netdev_id(nic.name): nic.name for nic in vmi.spec.domain.devices.interfaces}
    return Wiring(macs, {names[key]: device for key, device in devices.items() if key in names})
