"""What the parts of a live update share: the change to be made, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import (
    CPUTopology,
    MemoryStatus,
    VirtualMachineInstance,
    VolumeStatus,
)
from solovirt.api.meta import Condition
from solovirt.controllers.site import Site
from solovirt.controllers.vmi import pins
from solovirt.controllers.vmi.records import LaunchRecord, MachineRecords
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Report:
    """What one concern found and did. None and empty mean: nothing to say, the spec is what is.

    ``conditions`` go into the VMI's status while they are told; ``volumes`` say how single volumes are (by name);
    ``topology`` and ``memory`` are what is plugged; ``nics`` the links ("up", "down") of the interfaces that are, by
    name. ``again``: seconds after which it is worth another look; None when
    only a change of the spec, of the agent or a reset of the guest could help.
    """

    conditions: tuple[Condition, ...] = ()
    topology: CPUTopology | None = None
    memory: MemoryStatus | None = None
    volumes: Mapping[str, VolumeStatus] = field(default_factory=dict)
    nics: Mapping[str, str] | None = None
    again: float | None = None


NOTHING = Report()


@dataclass(frozen=True, slots=True)
class Update:
    """One VMI whose machine shall become what ``vmi.spec`` says. ``tell`` shows a report while work goes on."""

    site: Site
    records: MachineRecords
    vmi: VirtualMachineInstance
    instance: Instance
    tell: Callable[[Report], None]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the record of the launch is changed: concerns work side by side."""

    @property
    def uid(self) -> str:
        return self.vmi.metadata.uid

    @property
    def record(self) -> LaunchRecord:
        """What is remembered of the machine, as it is now. Raises ``Unavailable`` when it is forgotten."""
        found = self.records.launch(self.uid)
        if found is None:
            raise Unavailable("the machine is not remembered any more")
        return found

    async def remember(self, change: Callable[[LaunchRecord], LaunchRecord]) -> None:
        """Durable before the deed: what is plugged next must be found again by a later daemon, at the same place."""
        async with self.turn:
            record = change(self.record)
            await asyncio.gather(
                self.records.put_launch(self.uid, record), self.records.put_pins(pins.key(self.vmi), record.pins)
            )


class Concern(Protocol):
    """One kind of thing that can change while the guest runs."""

    @property
    def name(self) -> str: ...

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        """What of the spec it makes the machine follow, to be compared: while that stays, a change is not its concern.

        More than it needs costs time only; less would leave a change undone."""
        ...

    async def apply(self, update: Update) -> Report:
        """Compares the spec with the machine and makes them equal, or says why not.

        Asks the machine, never its own memory: an earlier daemon may have died half-way. What the guest or QEMU refuses
        belongs into the report; SolovirtErrors that come out are tried again later.
        """
        ...


def beyond_compute(spec: VirtualMachineInstanceSpec) -> object:
    """``Concern.part`` of those that look after devices: all but vCPUs and memory."""
    return msgspec.structs.replace(spec, domain=msgspec.structs.replace(spec.domain, cpu=None, memory=None))


def combined(reports: Mapping[str, Report]) -> Report:
    """All reports as one."""
    every = reports.values()
    waits = [report.again for report in every if report.again is not None]
    return Report(
        conditions=tuple(condition for report in every for condition in report.conditions),
        topology=next((report.topology for report in every if report.topology is not None), None),
        memory=next((report.memory for report in every if report.memory is not None), None),
        volumes={name: volume for report in every for name, volume in report.volumes.items()},
        nics=next((report.nics for report in every if report.nics is not None), None),
        again=min(waits, default=None),
    )
