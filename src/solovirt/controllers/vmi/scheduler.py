"""Places VMIs on this host, one after the other: constraints, capacity, CPUs of their own.

A placement holds from here to the end of its machine. It is durable in the launch record; what is held in between is
lost with the daemon, together with the start that it was for.
"""

from __future__ import annotations

from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Site
from solovirt.controllers.vmi import capacity, placement
from solovirt.controllers.vmi.placement import Node, Resident
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.host import cpupool
from solovirt.host.dedicated import is_dedicated
from solovirt.host.labels import VARIABLE
from solovirt.host.model.bindings import CPUPlacement
from solovirt.store.objects import Objects

FINAL = ("Succeeded", "Failed")
_HERE = ("Scheduled", "Running")


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """``message`` is the scheduler's sentence and, where there is one, what would help."""

    message: str


class Scheduler:
    """``place`` does not wait, so two VMIs never get the same CPU."""

    def __init__(self, site: Site, records: MachineRecords) -> None:
        self._site = site
        self._records = records
        self._placed: dict[str, CPUPlacement | None] = {}

    def place(self, vmi: VirtualMachineInstance) -> Unschedulable | None:
        """None: there is room, and it is taken. May be asked again. Raises ``HostError`` (wrong environment)."""
        uid = vmi.metadata.uid
        if uid in self._placed:
            return None
        vmis = self._site.objects.list(registry.VIRTUAL_MACHINE_INSTANCES).items
        node = Node(self._site.facts.node_name, self._site.facts.labels, _namespaces(self._site.objects))
        others = [_resident(other) for other in vmis if self._is_here(other, uid)]
        found = placement.problems(_resident(vmi), node, others)
        lacks = capacity.lacks(vmi.spec, self._site.facts)
        cpus, missing = self._cpus(vmi, {other.metadata.uid for other in vmis if other.status.phase not in FINAL})
        lacks += missing
        if not found and not lacks:
            self._placed[uid] = cpus
            return None
        return Unschedulable(_message(vmi, node, found, lacks))

    def cpus(self, uid: str) -> CPUPlacement | None:
        """The CPUs that the VMI has for itself."""
        if uid in self._placed:
            return self._placed[uid]
        record = self._records.launch(uid)
        return record.cpus if record is not None else None

    def release(self, uid: str) -> None:
        """Its machine is gone."""
        self._placed.pop(uid, None)

    def _cpus(self, vmi: VirtualMachineInstance, going: set[str]) -> tuple[CPUPlacement | None, list[capacity.Lack]]:
        if not is_dedicated(vmi.spec):
            return None, []
        own = vmi.metadata.uid
        held = [cpus for uid, cpus in self._placed.items() if cpus is not None and uid != own]
        for uid, record in self._records.launches().items():
            # What has ended keeps its record until its object goes, but not its CPUs.
            alive = uid in going or self._site.hypervisor.get(uid) is not None
            if record.cpus is not None and uid != own and alive:
                held.append(record.cpus)
        cpus = cpupool.topology(self._site.facts.nodes)
        return capacity.place(vmi.spec, cpus, cpupool.taken_by(held))

    def _is_here(self, other: VirtualMachineInstance, uid: str) -> bool:
        here = other.metadata.uid in self._placed or other.status.phase in _HERE
        return here and other.metadata.uid != uid and other.status.phase not in FINAL


def _resident(vmi: VirtualMachineInstance) -> Resident:
    return Resident(vmi.metadata.namespace, vmi.metadata.labels, vmi.spec)


def _namespaces(objects: Objects) -> dict[str, dict[str, str]]:
    return {one.metadata.name: one.metadata.labels for one in objects.list(registry.NAMESPACES).items}


def _message(vmi: VirtualMachineInstance, node: Node, found: list[str], lacks: list[capacity.Lack]) -> str:
    text = placement.sentence(dict.fromkeys([*found, *(lack.reason for lack in lacks)]))
    helps = [lack.help for lack in lacks]
    if labels := placement.missing_labels(vmi.spec, node):
        wanted = ",".join(labels)
        advice = f"this host lacks {wanted}: change nodeSelector, or start the daemon with {VARIABLE}={wanted}"
        helps.append(advice)
    if placement.CLAIMS in found:
        helps.append("nothing here allocates resource claims: name devices by deviceName instead")
    return " ".join([text, *(f"({one})" for one in helps)])
