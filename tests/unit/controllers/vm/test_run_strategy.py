"""Decisions of the run strategies, and that no order of events ever gives two VMIs or none for ever."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachineSpec, VirtualMachineStatus
from solovirt.controllers.vm.run_strategy import (
    ALWAYS,
    HALTED,
    MANUAL,
    ONCE,
    RERUN,
    Action,
    Life,
    decide,
    is_set_to_start,
    stop_expected,
    strategy_of,
    trim,
)
from tests.unit.controllers.lab import vm

STRATEGIES = (ALWAYS, RERUN, MANUAL, HALTED, ONCE)
START = StateChangeRequest(action="Start")


def spec_of(strategy: str) -> VirtualMachineSpec:
    return vm(strategy).spec


def stop(uid: str = "1") -> StateChangeRequest:
    return StateChangeRequest(action="Stop", uid=uid)


def status_of(*requests: StateChangeRequest, strategy: str = "") -> VirtualMachineStatus:
    return VirtualMachineStatus(state_change_requests=list(requests), run_strategy=strategy)


@pytest.mark.parametrize(
    ("strategy", "phase", "requests", "action"),
    [
        (ALWAYS, None, (), Action.CREATE),
        (ALWAYS, "Running", (), Action.NOTHING),
        (ALWAYS, "Succeeded", (), Action.DELETE),
        (ALWAYS, "Failed", (), Action.DELETE),
        (ALWAYS, "Running", (stop(),), Action.DELETE),
        (ALWAYS, "Running", (stop("other"),), Action.NOTHING),
        (RERUN, None, (), Action.CREATE),
        (RERUN, "Running", (), Action.NOTHING),
        (RERUN, "Succeeded", (), Action.DELETE),
        (RERUN, "Failed", (), Action.DELETE),
        (MANUAL, None, (), Action.NOTHING),
        (MANUAL, None, (START,), Action.CREATE),
        (MANUAL, "Failed", (), Action.NOTHING),
        (MANUAL, "Succeeded", (stop(), START), Action.DELETE),
        (MANUAL, "Succeeded", (START,), Action.NOTHING),
        (MANUAL, "Running", (stop(), START), Action.DELETE),
        (HALTED, None, (), Action.NOTHING),
        (HALTED, None, (StateChangeRequest(action="Start", data={"paused": "true"}),), Action.SET_ALWAYS),
        (HALTED, None, (START,), Action.NOTHING),
        (HALTED, "Running", (), Action.DELETE),
        (HALTED, "Failed", (), Action.DELETE),
        (ONCE, None, (), Action.CREATE),
        (ONCE, "Succeeded", (), Action.NOTHING),
        (ONCE, "Running", (stop(),), Action.DELETE),
    ],
)
def test_what_a_strategy_wants(
    strategy: str, phase: str | None, requests: tuple[StateChangeRequest, ...], action: Action
) -> None:
    life = None if phase is None else Life("1", phase)
    assert decide(spec_of(strategy), life, status_of(*requests)).action is action


def test_nothing_is_done_twice_to_a_vmi_that_goes() -> None:
    for strategy in STRATEGIES:
        decision = decide(spec_of(strategy), Life("1", "Running", deleting=True), status_of(stop()))
        assert decision.action is Action.NOTHING
        assert decision.requests == (stop(),)


def test_a_failed_rerun_remembers_to_start_again() -> None:
    first = decide(spec_of(RERUN), Life("1", "Failed"), status_of(strategy=RERUN))
    assert first.requests == (stop(), START)
    again = decide(spec_of(RERUN), Life("1", "Failed"), status_of(*first.requests, strategy=RERUN))
    assert again.requests == (stop(), START), "asked twice, remembered once"
    assert decide(spec_of(RERUN), None, status_of(stop(), START, strategy=RERUN)).action is Action.CREATE
    assert decide(spec_of(RERUN), None, status_of(strategy=RERUN)).action is Action.NOTHING


def test_back_off_postpones_automatic_starts_only() -> None:
    postponed = decide(spec_of(ALWAYS), None, status_of(), backing_off=True)
    assert (postponed.action, postponed.postponed) == (Action.NOTHING, True)
    manual = decide(spec_of(MANUAL), None, status_of(START), backing_off=True)
    assert manual.action is Action.CREATE


def test_a_paused_start_is_passed_on() -> None:
    request = StateChangeRequest(action="Start", data={"paused": "true"})
    assert decide(spec_of(MANUAL), None, status_of(request)).paused
    assert decide(spec_of(ALWAYS), None, status_of(request)).paused
    assert not decide(spec_of(ALWAYS), None, status_of()).paused


def test_requests_are_trimmed_when_they_are_done() -> None:
    assert trim([stop(), START], Life("1", "Running")) == (stop(), START)
    assert trim([stop(), START], None) == (START,)
    assert trim([stop(), START], Life("2", "Running")) == ()
    assert trim([START], Life("1", "Failed")) == (), "one request starts once"
    assert trim([StateChangeRequest(action="Nonsense"), START], None) == (START,)


def test_running_is_the_old_spelling() -> None:
    spec = spec_of("")
    assert strategy_of(spec) == HALTED
    spec.running = True
    assert strategy_of(spec) == ALWAYS


def test_what_is_expected() -> None:
    assert is_set_to_start(spec_of(ALWAYS), status_of())
    assert not is_set_to_start(spec_of(HALTED), status_of())
    assert stop_expected(spec_of(HALTED), Life("1", "Running"), status_of())
    assert stop_expected(spec_of(ALWAYS), Life("1", "Running"), status_of(stop()))
    assert not stop_expected(spec_of(ALWAYS), Life("1", "Running"), status_of())


class Machine(RuleBasedStateMachine):
    """A store with one VM and at most one VMI, a user, a guest, and a controller that may die between any two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = spec_of(HALTED)
        self.status = VirtualMachineStatus()
        self.life: Life | None = None
        self.made = 0

    def controller(self, steps: int = 2) -> Action:
        """``steps`` 1: it dies after its status was written."""
        decision = decide(self.spec, self.life, self.status)
        self.status.state_change_requests = list(decision.requests)
        self.status.run_strategy = decision.observed
        if steps < 2:
            return decision.action
        match decision.action:
            case Action.CREATE:
                assert self.life is None, "two VMIs"
                self.made += 1
                self.life = Life(str(self.made), "Running")
            case Action.DELETE:
                assert self.life is not None
                self.life = Life(self.life.uid, self.life.phase, deleting=True)
            case Action.SET_ALWAYS:
                self.spec.run_strategy = ALWAYS
            case Action.NOTHING:
                pass
        return decision.action

    @rule(strategy=st.sampled_from(STRATEGIES))
    def user_edits(self, strategy: str) -> None:
        self.spec.run_strategy = strategy

    @rule(paused=st.booleans())
    def user_starts(self, paused: bool) -> None:
        if trim(self.status.state_change_requests, self.life) or (self.life is not None and not self.life.final):
            return
        first = [stop(self.life.uid)] if self.life is not None else []
        data = {"paused": "true"} if paused else {}
        self.status.state_change_requests = [*first, StateChangeRequest(action="Start", data=data)]

    @precondition(lambda self: self.life is not None)
    @rule(restart=st.booleans())
    def user_stops(self, restart: bool) -> None:
        if not trim(self.status.state_change_requests, self.life):
            assert self.life is not None
            self.status.state_change_requests = [stop(self.life.uid), *([START] if restart else [])]

    @precondition(lambda self: self.life is not None and self.life.going)
    @rule(phase=st.sampled_from(["Succeeded", "Failed"]))
    def guest_ends(self, phase: str) -> None:
        assert self.life is not None
        self.life = Life(self.life.uid, phase)

    @precondition(lambda self: self.life is not None)
    @rule()
    def user_deletes_vmi(self) -> None:
        assert self.life is not None
        self.life = Life(self.life.uid, self.life.phase, deleting=True)

    @precondition(lambda self: self.life is not None and self.life.deleting)
    @rule()
    def vmi_goes(self) -> None:
        self.life = None

    @rule(steps=st.integers(1, 2))
    def controller_runs(self, steps: int) -> None:
        self.controller(steps)

    @invariant()
    def converges(self) -> None:
        """Left alone, it comes to rest, and at rest it is what the strategy says."""
        copy = Machine.__new__(Machine)
        copy.spec = vm(self.spec.run_strategy).spec
        copy.status = VirtualMachineStatus(
            state_change_requests=list(self.status.state_change_requests), run_strategy=self.status.run_strategy
        )
        copy.life, copy.made = self.life, self.made
        for _ in range(12):
            if copy.controller() is Action.NOTHING:
                if copy.life is None or not copy.life.deleting:
                    break
                copy.life = None
        else:
            raise AssertionError("never comes to rest")
        assert not copy.status.state_change_requests, "everything asked for was done"
        if copy.spec.run_strategy == ALWAYS:
            assert copy.life is not None
            assert copy.life.going
        if copy.spec.run_strategy == HALTED:
            assert copy.life is None


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestRunStrategies = Machine.TestCase
