from __future__ import annotations

from typing import cast

import pytest

from solovirt.api.kubevirt.spec.compute import CPU, Memory
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.sizes import Sizes
from solovirt.controllers.targets import Targets
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import NotFound
from tests.support.resizable import MIB, Machine
from tests.unit.controllers.lab import Lab


class One:
    """The target of every name."""

    def __init__(self, machine: Machine, domain: Domain) -> None:
        self.vmi = VirtualMachineInstance(spec=VirtualMachineInstanceSpec(domain=domain))
        self.machine = machine

    def running(self, namespace: str, name: str) -> tuple[VirtualMachineInstance, Instance]:
        return self.vmi, self.machine.instance


async def read(machine: Machine, domain: Domain) -> tuple[object, object]:
    found = await Sizes(cast(Targets, One(machine, domain))).read("default", "a")
    return found["cpu"], found["memory"]


def domain(sockets: int = 2, guest: str = "2Gi") -> Domain:
    return Domain(cpu=CPU(sockets=sockets, cores=2, threads=1), memory=Memory(guest=guest))


async def test_wanted_plugged_and_used() -> None:
    machine = Machine(sockets=2, cores=2)
    machine.agent.cpus[3] = False
    machine.has_region(512 * MIB)
    machine.has_dimm(0, 512 * MIB)
    machine.agent.blocks |= dict.fromkeys(range(32, 39), True)
    cpu, memory = await read(machine, domain())
    assert cpu == {"sockets": 2, "cores": 2, "threads": 1, "requested": 4, "plugged": 4, "most": 8, "guest": 3}
    assert memory == {
        "atBoot": 1024 * MIB,
        "requested": 2048 * MIB,
        "plugged": 2048 * MIB,
        "virtioMem": 512 * MIB,
        "dimms": [512 * MIB],
        "guest": (1024 + 7 * 128) * MIB,
    }


async def test_what_the_guest_does_not_tell() -> None:
    machine = Machine()
    machine.agent.connected = False
    cpu, memory = await read(machine, Domain())
    assert cpu == {"sockets": 1, "cores": 1, "threads": 1, "requested": 1, "plugged": 1, "most": 4, "guest": None}
    assert memory == {
        "atBoot": 1024 * MIB,
        "requested": None,
        "plugged": 1024 * MIB,
        "virtioMem": None,
        "dimms": [],
        "guest": None,
    }


async def test_a_guest_uses_no_more_than_it_has() -> None:
    machine = Machine()
    machine.base = 1000 * MIB
    memory = (await read(machine, domain()))[1]
    assert isinstance(memory, dict) and memory["guest"] == 1000 * MIB, "its blocks are larger than its memory"


async def test_what_is_wanted_is_what_can_be() -> None:
    machine = Machine()
    machine.has_region(408 * MIB)
    memory = (await read(machine, domain(guest="1500M")))[1]
    assert isinstance(memory, dict) and memory["requested"] == memory["plugged"] == 1432 * MIB


async def test_only_of_machines_that_are_there(lab: Lab) -> None:
    with pytest.raises(NotFound):
        await lab.manager.operations.sizes.read("default", "nobody")
