from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from solovirt.api.kubevirt.spec.compute import CPU, Memory
from solovirt.api.kubevirt.spec.devices import Watchdog
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Network, Volume
from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live.concerns import all_concerns
from solovirt.kit.json import clone
from tests.unit.controllers.lab import lone_vmi

CONCERNS = all_concerns(cast(Launcher, object()))
DEVICES = ["disks", "nics", "devices"]
Spec = VirtualMachineInstanceSpec


def test_each_has_a_name_of_its_own() -> None:
    names = [concern.name for concern in CONCERNS]
    assert names == ["cpus", "memory", "disks", "nics", "devices"], "as conditions are shown"


def cpus(spec: Spec) -> None:
    spec.domain.cpu = CPU(sockets=3)


def memory(spec: Spec) -> None:
    spec.domain.memory = Memory(guest="3Gi")


def volumes(spec: Spec) -> None:
    spec.volumes.append(Volume(name="more"))


def networks(spec: Spec) -> None:
    spec.networks.append(Network(name="more"))


def watchdog(spec: Spec) -> None:
    spec.domain.devices.watchdog = Watchdog(name="dog")


@pytest.mark.parametrize(
    ("change", "concerned"),
    [(cpus, ["cpus"]), (memory, ["memory"]), (volumes, DEVICES), (networks, DEVICES), (watchdog, DEVICES)],
)
def test_who_looks_at_the_machine_after_a_change(change: Callable[[Spec], None], concerned: list[str]) -> None:
    """Memory that comes waits for no question about disks."""
    before = lone_vmi().spec
    after = clone(before)
    assert not [one.name for one in CONCERNS if one.part(after) != one.part(before)]
    change(after)
    assert [one.name for one in CONCERNS if one.part(after) != one.part(before)] == concerned
