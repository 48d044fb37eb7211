"""One VMI of a lab whose machine is a :class:`Machine`: vCPUs and memory that come and go."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.compute import CPU, Memory
from solovirt.api.kubevirt.virtualmachineinstance import CPUTopology
from solovirt.api.meta import Condition
from solovirt.controllers.vmi.live import cpus, dimms, memory
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.kit.json import clone
from tests.support.resizable import Machine
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi

MOMENT = 0.06
"""Seconds for which a guest is waited for here."""


class Desk:
    """``told`` are the reports of work that went on."""

    def __init__(self, lab: Lab, machine: Machine) -> None:
        self.lab, self.machine = lab, machine
        self.vmi = clone(lab.vmi("lone"))
        sockets = len(machine.vcpus) // machine.cores
        self.vmi.status.current_cpu_topology = CPUTopology(cores=machine.cores, sockets=sockets, threads=1)
        self.site = lab.manager._site
        self.told: list[Report] = []

    @property
    def update(self) -> Update:
        machine = self.machine.instance
        return Update(self.site, self.lab.manager._vmis.records, self.vmi, machine, self.told.append)

    def host_has(self, memory: int) -> None:
        facts = msgspec.structs.replace(self.site.facts, memory=memory)
        self.site = dataclasses.replace(self.site, facts=facts)

    async def cpus(self, sockets: int) -> Report:
        self.vmi.spec.domain.cpu = CPU(sockets=sockets, cores=self.machine.cores, threads=1)
        report = await cpus.CPUs().apply(self.update)
        self.vmi.status.current_cpu_topology = report.topology
        return report

    async def memory(self, guest: str) -> Report:
        assert self.vmi.spec.domain.memory is not None
        self.vmi.spec.domain.memory.guest = guest
        return await memory.GuestMemory().apply(self.update)

    async def events(self) -> list[tuple[str, str]]:
        """Reasons and messages about the VMI that live updates told."""
        await self.site.events.flush()
        found = self.lab.objects.list(registry.EVENTS).items
        found.sort(key=lambda event: int(event.metadata.name.rpartition(".")[2], 16))
        words = ("VCPU", "Memory", "Unplug", "Insufficient", "Generic")
        return [(event.reason, event.message) for event in found if event.reason.startswith(words)]


def only(report: Report) -> Condition:
    (found,) = report.conditions
    return found


def topology(report: Report) -> CPUTopology:
    assert report.topology is not None
    return report.topology


async def desk(lab: Lab, machine: Machine, monkeypatch: pytest.MonkeyPatch, *, most: str = "4Gi") -> Desk:
    """Its guest is given moments instead of seconds."""
    for module in (cpus, dimms, memory):
        for name in vars(module):
            if name.endswith("_TIMEOUT") or name in ("PATIENCE", "BACK"):
                monkeypatch.setattr(module, name, MOMENT)
    monkeypatch.setattr(dimms.settle, "__defaults__", (MOMENT,))
    monkeypatch.setattr(cpus._Change._online, "__defaults__", (MOMENT,))
    made = lone_vmi()
    made.spec.domain.memory = Memory(guest="1Gi", max_guest=most)
    await lab.objects.create(VMIS, made)
    await lab.settle()
    return Desk(lab, machine)
