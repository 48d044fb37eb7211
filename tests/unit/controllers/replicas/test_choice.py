from __future__ import annotations

from datetime import UTC, datetime

import pytest

from solovirt.api.kubevirt.spec.scheduling import LabelSelector, Requirement
from solovirt.api.kubevirt.virtualmachine import StartFailure, VirtualMachine
from solovirt.api.meta import Condition
from solovirt.api.pool.virtualmachinepool import Autohealing, SelectionPolicy, Selectors
from solovirt.controllers.replicas import choice
from tests.unit.controllers.lab import vm
from tests.unit.controllers.replicas.world import pool

NOW = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def machines() -> list[VirtualMachine]:
    """web-0 is the newest."""
    made = [vm(name=f"web-{index}") for index in (2, 0, 10)]
    for number, machine in enumerate(made):
        machine.metadata.creation_timestamp = f"2026-01-01T00:00:0{[2, 9, 1][number]}Z"
    return made


@pytest.mark.parametrize(
    ("policy", "order"),
    [("AscendingOrder", [0, 2, 10]), ("DescendingOrder", [10, 2, 0]), ("Newest", [0, 2, 10]), ("Oldest", [10, 2, 0])],
)
def test_orders(policy: str, order: list[int]) -> None:
    found = choice.in_order(machines(), SelectionPolicy(sort_policy=policy))
    assert [machine.metadata.name for machine in found] == [f"web-{index}" for index in order]


def test_any_order_has_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    found = choice.in_order(machines(), None)
    assert sorted(machine.metadata.name for machine in found) == ["web-0", "web-10", "web-2"]
    monkeypatch.setattr("random.shuffle", list.reverse)
    shuffled = choice.in_order(machines(), SelectionPolicy(sort_policy="Random"))
    assert [machine.metadata.name for machine in shuffled] == ["web-10", "web-2", "web-0"]


def test_selectors_must_all_match() -> None:
    first, second, third = machines()
    first.spec.template.metadata.labels = second.spec.template.metadata.labels = {"tier": "a"}
    second.spec.template.spec.node_selector = third.spec.template.spec.node_selector = {"disk": "9"}
    labels = LabelSelector(match_labels={"tier": "a"})
    nodes = [Requirement(key="disk", operator="Gt", values=["8"])]

    def select(
        label_selector: LabelSelector | None = None, node_selector_requirement_matcher: list[Requirement] | None = None
    ) -> list[VirtualMachine]:
        selectors = Selectors(
            label_selector=label_selector, node_selector_requirement_matcher=node_selector_requirement_matcher
        )
        return choice.selected([first, second, third], SelectionPolicy(selectors=selectors))

    assert select() == [first, second, third] == choice.selected([first, second, third], None)
    assert select(label_selector=labels) == [first, second]
    assert select(node_selector_requirement_matcher=nodes) == [second, third]
    assert select(label_selector=labels, node_selector_requirement_matcher=nodes) == [second]


@pytest.mark.parametrize(
    ("value", "replicas", "expected"),
    [(None, 3, 3), (2, 3, 2), ("50%", 5, 2), ("1%", 3, 1), ("100%", None, 1), (None, 0, 1)],
)
def test_max_unavailable(value: int | str | None, replicas: int | None, expected: int) -> None:
    spec = pool(replicas).spec
    spec.max_unavailable = value
    assert choice.max_unavailable(spec) == expected


def failing(status: str = "ErrImagePull", since: str = "2026-01-01T00:06:00Z") -> VirtualMachine:
    machine = vm()
    machine.status.printable_status = status
    machine.status.conditions = [Condition(type="Ready", status="False", last_transition_time=since)]
    return machine


def test_when_to_heal() -> None:
    healing = Autohealing()
    assert choice.seconds_to_heal(vm(), healing, NOW) is None
    assert choice.seconds_to_heal(failing(), healing, NOW) == 60
    assert choice.seconds_to_heal(failing(), Autohealing(min_failing_to_start_duration="3m30s"), NOW) == 0
    assert choice.seconds_to_heal(failing("Stopped"), healing, NOW) is None
    ready = failing()
    ready.status.conditions[0].status = "True"
    assert choice.seconds_to_heal(ready, healing, NOW) is None


@pytest.mark.parametrize(("count", "threshold", "due"), [(2, None, False), (3, None, True), (1, 1, True)])
def test_failed_starts(count: int, threshold: int | None, due: bool) -> None:
    machine = vm()
    machine.status.start_failure = StartFailure(consecutive_fail_count=count)
    healing = Autohealing(start_up_failure_threshold=threshold)
    assert (choice.seconds_to_heal(machine, healing, NOW) == 0) is due
