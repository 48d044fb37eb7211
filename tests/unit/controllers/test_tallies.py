"""Phases and how long they took."""

from __future__ import annotations

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import PhaseTransition, VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.controllers.tallies import BUCKETS, Histogram, Tallies
from solovirt.hypervisor.model import RunState
from tests.unit.controllers.lab import Lab, lone_vmi


def vmi(*steps: tuple[str, str], deleted: str | None = None) -> VirtualMachineInstance:
    made = VirtualMachineInstance(
        metadata=ObjectMeta(
            name="web",
            namespace="default",
            uid="u",
            creation_timestamp="2026-11-22T20:00:00Z",
            deletion_timestamp=deleted,
        ),
        spec=VirtualMachineInstanceSpec(domain=Domain()),
    )
    made.status.phase_transition_timestamps = [
        PhaseTransition(phase=phase, phase_transition_timestamp=f"2026-11-22T20:00:{second}Z")
        for phase, second in steps
    ]
    return made


def test_each_transition_counts_once() -> None:
    tallies = Tallies()
    tallies.saw(vmi(("Pending", "00")))
    tallies.saw(vmi(("Pending", "00"), ("Scheduled", "03")))
    running = vmi(("Pending", "00"), ("Scheduled", "03"), ("Running", "45"))
    tallies.saw(running)
    tallies.saw(running)
    assert {key: histogram.sum for key, histogram in tallies.between.items()} == {
        ("Pending", ""): 0,
        ("Scheduled", "Pending"): 3,
        ("Running", "Scheduled"): 42,
    }
    assert tallies.from_creation["Running"].sum == 45
    assert sum(tallies.from_creation["Running"].counts) == 1
    assert tallies.from_deletion == {}


def test_the_time_from_deletion_to_the_end() -> None:
    tallies = Tallies()
    tallies.saw(vmi(("Running", "10"), ("Succeeded", "30"), deleted="2026-11-22T20:00:25Z"))
    assert tallies.from_deletion["Succeeded"].sum == 5
    assert set(tallies.from_deletion) == {"Succeeded"}


def test_the_past_of_those_that_were_there_before_is_not_counted() -> None:
    tallies = Tallies()
    tallies.saw(vmi(("Pending", "00"), ("Running", "10")), began=True)
    assert tallies.between == {}
    tallies.saw(vmi(("Pending", "00"), ("Running", "10"), ("Failed", "20")))
    assert set(tallies.between) == {("Failed", "Running")}


def test_a_clock_that_was_set_back_and_times_that_are_none() -> None:
    tallies = Tallies()
    tallies.saw(vmi(("Pending", "30"), ("Running", "10"), ("Failed", "xx")))
    assert tallies.between["Running", "Pending"].sum == 0
    assert ("Failed", "Running") not in tallies.between


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (0.5, 0), (0.6, 1), (3600, len(BUCKETS) - 1), (1e9, -1)])
def test_buckets(seconds: float, place: int) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert histogram.counts[place] == 1
    assert sum(histogram.counts) == 1
    assert list(BUCKETS) == sorted(BUCKETS)


def test_panics_and_consoles_go_with_their_machine() -> None:
    tallies = Tallies(clock=lambda: 5.0)
    key = ("default", "web")
    tallies.panicked(key)
    tallies.panicked(key)
    tallies.connected(key)
    assert (tallies.panics, tallies.connections) == ({key: 2}, {key: 5.0})
    tallies.forget(vmi())
    assert (tallies.panics, tallies.connections) == ({}, {})


async def test_a_machine_in_the_daemon_is_counted_from_its_start_to_its_end(lab: Lab) -> None:
    tallies = lab.manager.operations.figures.tallies
    await lab.objects.create(registry.VIRTUAL_MACHINE_INSTANCES, lone_vmi())
    await lab.settle()
    assert sum(tallies.from_creation["Running"].counts) == 1
    assert lab.manager.operations.figures.queues()["vmi"] == 0
    machine = lab.host.machine
    machine.run_state = RunState.GUEST_PANICKED
    lab.host.tell(machine, "panicked", "pause")
    assert tallies.panics == {("default", "lone"): 1}
    await lab.settle()
    assert sum(tallies.between["Failed", "Running"].counts) == 1
    await lab.objects.delete(registry.VIRTUAL_MACHINE_INSTANCES, "default", "lone")
    await lab.settle()
    assert tallies.panics == {}


async def test_what_an_earlier_daemon_saw_is_not_counted_again(lab: Lab) -> None:
    await lab.objects.create(registry.VIRTUAL_MACHINE_INSTANCES, lone_vmi())
    await lab.settle()
    await lab.restart()
    await lab.settle()
    assert lab.manager.operations.figures.tallies.from_creation == {}
