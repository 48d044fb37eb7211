"""What a run strategy wants done next: a pure function of the VM, its VMI and what was asked for.

Source: kubevirt pkg/virt-controller/watch/vm/vm.go, ``syncRunStrategy`` and ``trimDoneVMChangeRequests``. Must not know
the store, clocks or machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from solovirt.api.kubevirt.virtualmachine import StateChangeRequest, VirtualMachineSpec, VirtualMachineStatus
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance

ALWAYS, RERUN, MANUAL, HALTED, ONCE = "Always", "RerunOnFailure", "Manual", "Halted", "Once"
AUTOMATIC = (ALWAYS, RERUN, ONCE)
"""Strategies that start a VM by themselves, and so back off when it fails."""

START, STOP = "Start", "Stop"
PAUSED = "paused"
"""Key in the data of a Start request: the machine shall wait before its first instruction."""

FINAL = ("Succeeded", "Failed")


class Action(StrEnum):
    NOTHING = "Nothing"
    CREATE = "Create"
    DELETE = "Delete"
    SET_ALWAYS = "SetAlways"
    """Turn a halted VM, of which a paused start was asked, into one that runs."""


@dataclass(frozen=True, slots=True)
class Life:
    """What of a VMI counts here."""

    uid: str
    phase: str = ""
    deleting: bool = False

    @classmethod
    def of(cls, vmi: VirtualMachineInstance | None) -> Life | None:
        if vmi is None:
            return None
        return cls(vmi.metadata.uid, vmi.status.phase, vmi.metadata.deletion_timestamp is not None)

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    @property
    def going(self) -> bool:
        """Neither at its end nor on the way there."""
        return not self.final and not self.deleting


@dataclass(frozen=True, slots=True)
class Decision:
    """``requests`` and ``observed`` must be in the VM's status before ``action`` is done.

    ``paused``: create the VMI with startStrategy Paused. ``postponed``: it would be created but for the back-off.
    """

    action: Action
    requests: tuple[StateChangeRequest, ...] = ()
    observed: str = ""
    paused: bool = False
    postponed: bool = False


def strategy_of(spec: VirtualMachineSpec) -> str:
    """``runStrategy``, or what the deprecated ``running`` means."""
    if spec.run_strategy:
        return spec.run_strategy
    return ALWAYS if spec.running else HALTED


def decide(
    spec: VirtualMachineSpec, life: Life | None, status: VirtualMachineStatus, *, backing_off: bool = False
) -> Decision:
    """The next step. Safe to ask again after any of its steps was done or lost."""
    strategy = strategy_of(spec)
    requests = trim(status.state_change_requests, life)
    observed = _observed(strategy, life, status.run_strategy)
    if life is None:
        return _without(strategy, requests, observed, status.run_strategy, backing_off)
    if life.deleting:
        return Decision(Action.NOTHING, requests, observed)
    return _with(strategy, life, requests, observed)


def trim(requests: list[StateChangeRequest], life: Life | None) -> tuple[StateChangeRequest, ...]:
    """The requests that are not done yet, in order."""
    left = list(requests)
    while left:
        first = left[0]
        stopped = first.action == STOP and (life is None or life.uid != first.uid)
        # Also when it has ended again since: one request starts once.
        started = first.action == START and life is not None
        if not stopped and not started and first.action in (START, STOP):
            break
        del left[0]
    return tuple(left)


def stop_requested(requests: tuple[StateChangeRequest, ...], life: Life) -> bool:
    return bool(requests) and requests[0].action == STOP and requests[0].uid == life.uid


def start_requested(requests: tuple[StateChangeRequest, ...]) -> bool:
    return bool(requests) and requests[0].action == START


def is_set_to_start(spec: VirtualMachineSpec, status: VirtualMachineStatus) -> bool:
    """Without a VMI: would one be made, were nothing in the way?"""
    return decide(spec, None, status).action in (Action.CREATE, Action.SET_ALWAYS)


def stop_expected(spec: VirtualMachineSpec, life: Life, status: VirtualMachineStatus) -> bool:
    """With a VMI that is not final: is it on its way out?"""
    halted = strategy_of(spec) == HALTED
    return life.deleting or halted or stop_requested(trim(status.state_change_requests, life), life)


def _observed(strategy: str, life: Life | None, before: str) -> str:
    """The strategy under which a VMI was last seen; RerunOnFailure and Once start only what they have not had yet."""
    if strategy not in (RERUN, ONCE) or (life is not None and not life.deleting):
        return strategy
    return strategy if before == strategy else ""


def _without(
    strategy: str, requests: tuple[StateChangeRequest, ...], observed: str, before: str, backing_off: bool
) -> Decision:
    asked = start_requested(requests)
    if strategy == HALTED:
        if asked and requests[0].data.get(PAUSED) == "true":
            return Decision(Action.SET_ALWAYS, requests, observed)
        # The start of a restart that was asked for before the VM was halted: the later word counts.
        return Decision(Action.NOTHING, tuple(r for r in requests if r.action != START), observed)
    wanted = asked or strategy == ALWAYS or (strategy in (RERUN, ONCE) and before != strategy)
    if not wanted:
        return Decision(Action.NOTHING, requests, observed)
    if backing_off and strategy in AUTOMATIC:
        return Decision(Action.NOTHING, requests, observed, postponed=True)
    return Decision(Action.CREATE, requests, observed, paused=asked and requests[0].data.get(PAUSED) == "true")


def _with(strategy: str, life: Life, requests: tuple[StateChangeRequest, ...], observed: str) -> Decision:
    """There is a VMI and nobody deletes it yet."""
    stop = stop_requested(requests, life)
    match strategy:
        case "Always":
            end = stop or life.final
        case "RerunOnFailure":
            end = stop or life.final
            if life.phase == "Failed" and not stop:
                # Kept in the status, so that the restart is not forgotten between deletion and creation.
                requests = (StateChangeRequest(action=STOP, uid=life.uid), StateChangeRequest(action=START))
        case "Manual" | "Once":
            end = stop
        case _:
            end = True
    return Decision(Action.DELETE if end else Action.NOTHING, requests, observed)
