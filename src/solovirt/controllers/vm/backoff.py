"""How long a VM that keeps failing has to wait: 10 s × n², at most 300 s. Pure.

Source: kubevirt pkg/virt-controller/watch/vm/vm.go, ``syncStartFailureStatus``. KubeVirt forgives a machine as soon as
it runs, because its starts are slow by themselves; ours are fast, so a machine counts as failed also when it ran only
shortly.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from solovirt.api.kubevirt.virtualmachine import StartFailure
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vm.run_strategy import AUTOMATIC, FINAL
from solovirt.kit import timestamps

INTERVAL, LIMIT = 10, 300
STABLE = 60.0
"""Seconds that a machine must have run for a crash not to count as a failed start."""
SHORT = 5.0
"""Seconds below which even an orderly end counts: such a machine would be started over and over."""


def delay(failures: int) -> int:
    """Seconds before the next start after so many failures in a row."""
    return min(INTERVAL * failures * failures, LIMIT)


def account(
    before: StartFailure | None, strategy: str, vmi: VirtualMachineInstance | None, now: datetime
) -> StartFailure | None:
    """The new ``status.startFailure``. Each VMI is counted once."""
    if strategy not in AUTOMATIC:
        return None
    if vmi is None:
        return before
    uid = vmi.metadata.uid
    if failed_early(vmi):
        # What somebody deletes ends because of that.
        if vmi.metadata.deletion_timestamp is not None or (before is not None and before.last_failed_vmi_uid == uid):
            return before
        count = (before.consecutive_fail_count if before is not None else 0) + 1
        retry = timestamps.render(now + timedelta(seconds=delay(count)))
        return StartFailure(consecutive_fail_count=count, last_failed_vmi_uid=uid, retry_after_timestamp=retry)
    return None if _proved(vmi, now) else before


def _proved(vmi: VirtualMachineInstance, now: datetime) -> bool:
    """Whether it ran long enough to be forgiven what was before; a finished one did, unless it failed early."""
    since = transition(vmi, "Running")
    if since is None:
        return False
    return vmi.status.phase in FINAL or (now - since).total_seconds() >= STABLE


def failed_early(vmi: VirtualMachineInstance) -> bool:
    """Whether this finished VMI counts as a failed start."""
    phase = vmi.status.phase
    if phase not in FINAL:
        return False
    began, ended = transition(vmi, "Running"), transition(vmi, phase)
    if began is None or ended is None:
        return True
    return (ended - began).total_seconds() < (STABLE if phase == "Failed" else SHORT)


def transition(vmi: VirtualMachineInstance, phase: str) -> datetime | None:
    """When the VMI came into this phase."""
    for step in vmi.status.phase_transition_timestamps:
        if step.phase == phase:
            return timestamps.parse(step.phase_transition_timestamp)
    return None


def seconds_left(failure: StartFailure | None, now: datetime) -> float:
    """How long a start must still wait; 0 for not at all."""
    if failure is None or not failure.retry_after_timestamp:
        return 0.0
    return max(0.0, (timestamps.parse(failure.retry_after_timestamp) - now).total_seconds())


def forgiven_in(failure: StartFailure | None, vmi: VirtualMachineInstance | None, now: datetime) -> float | None:
    """Seconds until a running machine has proved itself, if there is something to forgive."""
    since = transition(vmi, "Running") if vmi is not None else None
    if failure is None or vmi is None or since is None or vmi.status.phase != "Running":
        return None
    return max(0.0, STABLE - (now - since).total_seconds()) + 1
