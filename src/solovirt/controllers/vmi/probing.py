"""Readiness and liveness of VMIs: when to try, what a row of results means.

Source: Kubernetes pkg/kubelet/prober. Failures do not count while the guest agent cannot answer for a good reason (the
machine is paused, its file systems are frozen, or the VMI's annotation says so). Must not know phases, and writes no
object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from solovirt.api.kubevirt.spec.probes import Probe
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import find_condition
from solovirt.controllers.events import Recorder
from solovirt.controllers.vmi import probe_actions
from solovirt.controllers.vmi.probe_actions import Reach, Target
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit import timestamps
from solovirt.kit.aio import TaskSet

PAUSE_ANNOTATION = "kubevirt.io/pause-guest-agent-probes"
pause = asyncio.sleep
Kind = Literal["Readiness", "Liveness"]


@dataclass(slots=True)
class Count:
    """Results in a row. ``good`` is the verdict, which only a whole row of the other kind turns."""

    good: bool
    successes: int = 0
    failures: int = 0

    def take(self, probe: Probe, success: bool) -> bool:
        """Whether the verdict turned."""
        self.successes = self.successes + 1 if success else 0
        self.failures = 0 if success else self.failures + 1
        before = self.good
        if self.successes >= (probe.success_threshold or 1):
            self.good = True
        elif self.failures >= (probe.failure_threshold or 3):
            self.good = False
        return self.good != before


@dataclass(slots=True)
class _Watched:
    """``vmi`` is as of its last reconciliation."""

    vmi: VirtualMachineInstance
    instance: Instance
    reach: Callable[[], Reach]
    ready: Count | None = None
    dead: str = ""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Probes:
    """``changed(uid)`` is called when ``is_ready`` or ``failure`` have become something else."""

    def __init__(
        self,
        events: Recorder,
        changed: Callable[[str], None],
        clock: Callable[[], datetime],
        is_frozen: Callable[[str], bool] = lambda uid: False,
    ) -> None:
        self._events = events
        self._changed = changed
        self._clock = clock
        self._is_frozen = is_frozen
        self._watched: dict[str, _Watched] = {}
        self._tasks = TaskSet("probes")

    def watch(self, vmi: VirtualMachineInstance, instance: Instance, reach: Callable[[], Reach]) -> None:
        """The machine runs: try its probes from now on. Again and again for a new state of the object."""
        uid, spec = vmi.metadata.uid, vmi.spec
        known = self._watched.get(uid)
        if known is not None and known.instance is instance:
            known.vmi = vmi
            return
        if spec.readiness_probe is None and spec.liveness_probe is None:
            return
        self.forget(uid)
        watched = self._watched[uid] = _Watched(vmi, instance, reach)
        if spec.readiness_probe is not None:
            # A daemon that comes back believes what was known before.
            condition = find_condition(vmi.status.conditions, "Ready")
            watched.ready = Count(good=condition is not None and condition.status == "True")
            self._start(watched, "Readiness", spec.readiness_probe)
        if spec.liveness_probe is not None:
            self._start(watched, "Liveness", spec.liveness_probe)

    def is_ready(self, uid: str) -> bool | None:
        """None when there is no readiness probe."""
        watched = self._watched.get(uid)
        return watched.ready.good if watched is not None and watched.ready is not None else None

    def failure(self, uid: str) -> str:
        """Why the guest counts as dead; "" while it does not."""
        watched = self._watched.get(uid)
        return watched.dead if watched is not None else ""

    def forget(self, uid: str) -> None:
        watched = self._watched.pop(uid, None)
        for task in watched.tasks if watched is not None else ():
            task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    def _start(self, watched: _Watched, kind: Kind, probe: Probe) -> None:
        name = f"{kind} {watched.vmi.metadata.uid}"
        watched.tasks.append(self._tasks.spawn(self._run(watched, kind, probe), name))

    async def _run(self, watched: _Watched, kind: Kind, probe: Probe) -> None:
        count = watched.ready if kind == "Readiness" and watched.ready is not None else Count(good=True)
        await pause(self._delay(watched.vmi, probe))
        while not watched.instance.has_exited:
            if not self._suspended(watched, probe):
                problem = await probe_actions.attempt(probe, _target(watched))
                # The machine may have been paused, or have gone, under it.
                if not problem or not (self._suspended(watched, probe) or watched.instance.has_exited):
                    self._count(watched, kind, probe, count, problem)
            if watched.dead:
                return
            await pause(float(probe.period_seconds or 10))

    def _count(self, watched: _Watched, kind: Kind, probe: Probe, count: Count, problem: str) -> None:
        if problem:
            self._events.warning(watched.vmi, "Unhealthy", f"{kind} probe failed: {problem}")
        if not count.take(probe, not problem):
            return
        if kind == "Liveness":
            watched.dead = f"Liveness probe failed: {problem}"
            self._events.normal(
                watched.vmi, "Killing", "VirtualMachineInstance failed liveness probe, it will be ended"
            )
        self._changed(watched.vmi.metadata.uid)

    def _suspended(self, watched: _Watched, probe: Probe) -> bool:
        """Only probes that the agent answers as such, and programs, which a frozen guest cannot run; others say what
        they see.
        """
        if watched.instance.run_state is RunState.SAVE_VM:
            return True  # its memory is being dumped: it stands still, and nobody of the guest is to blame
        if probe.exec is not None:
            return self._is_frozen(watched.vmi.metadata.uid)
        if probe.guest_agent_ping is None:
            return False
        paused = watched.instance.run_state is not RunState.RUNNING
        return paused or watched.vmi.metadata.annotations.get(PAUSE_ANNOTATION) == "true"

    def _delay(self, vmi: VirtualMachineInstance, probe: Probe) -> float:
        """What is left of the initial delay, which began when the machine did."""
        delay = float(probe.initial_delay_seconds or 0)
        for step in vmi.status.phase_transition_timestamps:
            if step.phase == "Running":
                ran = (self._clock() - timestamps.parse(step.phase_transition_timestamp)).total_seconds()
                return max(0.0, delay - max(0.0, ran))
        return delay


def _target(watched: _Watched) -> Target:
    interfaces = watched.vmi.spec.domain.devices.interfaces
    ports = {port.name: port.port for nic in interfaces for port in nic.ports if port.name}
    return Target(watched.instance, watched.reach(), ports)
