from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from solovirt.api.kubevirt.virtualmachine import StartFailure
from solovirt.api.kubevirt.virtualmachineinstance import PhaseTransition, VirtualMachineInstance
from solovirt.controllers.vm import backoff
from solovirt.kit import timestamps
from tests.unit.controllers.lab import lone_vmi

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def vmi(phase: str, *, ran: float | None = None, uid: str = "1") -> VirtualMachineInstance:
    """A VMI that is in ``phase`` since NOW, after it ran for ``ran`` seconds."""
    made = lone_vmi()
    made.metadata.uid = uid
    made.status.phase = phase
    steps = [("Running", NOW - timedelta(seconds=ran))] if ran is not None else []
    if phase != "Running":
        steps.append((phase, NOW))
    made.status.phase_transition_timestamps = [
        PhaseTransition(phase=name, phase_transition_timestamp=timestamps.render(when)) for name, when in steps
    ]
    return made


def test_the_delay_grows_with_the_square() -> None:
    assert [backoff.delay(count) for count in range(1, 8)] == [10, 40, 90, 160, 250, 300, 300]


@pytest.mark.parametrize(
    ("phase", "ran", "early"),
    [
        ("Failed", None, True),
        ("Failed", 5, True),
        ("Failed", 3600, False),
        ("Succeeded", 1, True),
        ("Succeeded", 20, False),
        ("Running", 1, False),
    ],
)
def test_failed_early(phase: str, ran: float | None, early: bool) -> None:
    assert backoff.failed_early(vmi(phase, ran=ran)) is early


def test_each_failure_counts_once() -> None:
    first = backoff.account(None, "Always", vmi("Failed"), NOW)
    assert first is not None
    assert first.consecutive_fail_count == 1
    assert first.last_failed_vmi_uid == "1"
    assert backoff.seconds_left(first, NOW) == 10
    assert backoff.account(first, "Always", vmi("Failed"), NOW) == first
    second = backoff.account(first, "Always", vmi("Failed", uid="2"), NOW)
    assert second is not None
    assert backoff.seconds_left(second, NOW) == 40
    assert backoff.account(second, "Always", None, NOW) == second


def test_a_machine_that_proves_itself_is_forgiven() -> None:
    failure = StartFailure(consecutive_fail_count=3, last_failed_vmi_uid="0")
    assert backoff.account(failure, "Always", vmi("Running", ran=5), NOW) == failure
    assert backoff.account(failure, "Always", vmi("Running", ran=61), NOW) is None
    assert backoff.account(failure, "Always", vmi("Succeeded", ran=61), NOW) is None
    assert backoff.forgiven_in(failure, vmi("Running", ran=20), NOW) == 41
    assert backoff.forgiven_in(None, vmi("Running", ran=20), NOW) is None
    assert backoff.forgiven_in(failure, vmi("Failed", ran=20), NOW) is None


def test_strategies_without_automatic_starts_do_not_wait() -> None:
    failure = StartFailure(consecutive_fail_count=3)
    for strategy in ("Manual", "Halted"):
        assert backoff.account(failure, strategy, vmi("Failed"), NOW) is None


def test_a_vmi_that_somebody_deletes_does_not_count() -> None:
    going = vmi("Failed")
    going.metadata.deletion_timestamp = timestamps.render(NOW)
    assert backoff.account(None, "Always", going, NOW) is None


def test_nothing_to_wait_for() -> None:
    assert backoff.seconds_left(None, NOW) == 0
    past = StartFailure(retry_after_timestamp=timestamps.render(NOW - timedelta(seconds=5)))
    assert backoff.seconds_left(past, NOW) == 0


def test_transition_of_a_phase_that_was_never_reached() -> None:
    assert backoff.transition(vmi("Failed"), "Running") is None
