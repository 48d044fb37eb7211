from __future__ import annotations

from datetime import UTC, datetime

from solovirt.api.kubevirt.virtualmachineinstance import PhaseTransition, VirtualMachineInstance
from solovirt.api.meta import Condition, OwnerReference
from solovirt.controllers.replicas.instances import Population, expendable, make_instance, seconds_to_wait
from tests.unit.controllers.lab import lone_vmi
from tests.unit.controllers.replicas.world import replica_set

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def vmi(name: str, phase: str = "Running", *, ready: bool = True, born: str = "00:00:00") -> VirtualMachineInstance:
    made = lone_vmi(name)
    made.metadata.creation_timestamp = f"2026-01-01T{born}Z"
    made.status.phase = phase
    made.status.conditions = [Condition(type="Ready", status="True" if ready else "False")]
    made.metadata.owner_references = [OwnerReference(api_version="x/v1", kind="X", name="x", uid="1", controller=True)]
    return made


def test_the_least_useful_go_first() -> None:
    old, new = vmi("old"), vmi("new", born="00:00:30")
    unready, waiting = vmi("unready", ready=False), vmi("waiting", "Scheduling", ready=False)
    found = expendable([old, unready, new, waiting])
    assert [one.metadata.name for one in found] == ["waiting", "unready", "new", "old"]


def test_who_counts() -> None:
    gone, foreign, plain = vmi("gone"), vmi("foreign"), vmi("plain")
    gone.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    foreign.metadata.owner_references[0].uid = "2"
    plain.metadata.owner_references[0].controller = None
    there = Population.of("1", [vmi("a"), vmi("b", "Failed"), vmi("c", ""), gone, foreign, plain])
    assert [one.metadata.name for one in there.active] == ["a", "c"]
    assert [one.metadata.name for one in there.finished] == ["b"]


def test_names_come_from_the_template_first() -> None:
    made = replica_set()
    assert make_instance(made).metadata.generate_name == "web"
    made.spec.template.metadata.generate_name = "g-"
    assert make_instance(made).metadata.generate_name == "g-"
    made.spec.template.metadata.name = "n"
    assert make_instance(made).metadata.generate_name == "n"
    make_instance(made).metadata.labels["x"] = "y"
    assert "x" not in made.spec.template.metadata.labels


def ended(phase: str, ran: str, at: str) -> VirtualMachineInstance:
    made = vmi("a", phase)
    made.status.phase_transition_timestamps = [
        PhaseTransition(phase="Running", phase_transition_timestamp=f"2026-01-01T{ran}Z"),
        PhaseTransition(phase=phase, phase_transition_timestamp=f"2026-01-01T{at}Z"),
    ]
    return made


def test_early_failures_keep_their_place_for_a_while() -> None:
    assert seconds_to_wait(ended("Failed", "00:00:50", "00:00:57"), NOW) == 7
    assert seconds_to_wait(ended("Failed", "00:00:10", "00:00:20"), NOW) == 0
    assert seconds_to_wait(ended("Succeeded", "00:00:10", "00:00:59"), NOW) == 0
    assert seconds_to_wait(vmi("a"), NOW) == 0
