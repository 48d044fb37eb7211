"""What happens to machines, counted since the daemon's start: phases and how long they took, panics, consoles.

Only what KubeVirt counts too (pkg/monitoring/metrics/virt-controller/perfscale_metrics.go). Must not know who reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.kit import timestamps

K = TypeVar("K")

BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 40, 50, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
"""Upper bounds in seconds, as KubeVirt's PhaseTransitionTimeBuckets; the last bucket has none."""
FINAL = ("Succeeded", "Failed")
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True)
class Histogram:
    """``counts`` has one entry for each bucket and one for what is above the last; they are not cumulative."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    sum: float = 0.0

    def observe(self, seconds: float) -> None:
        place = next((index for index, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self.counts[place] += 1
        self.sum += seconds


class Tallies:
    """``between`` is by (phase, last phase), ``from_creation`` and ``from_deletion`` by phase."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.between: dict[tuple[str, str], Histogram] = {}
        self.from_creation: dict[str, Histogram] = {}
        self.from_deletion: dict[str, Histogram] = {}
        self.panics: dict[Key, int] = {}
        self.connections: dict[Key, float] = {}
        """When somebody connected to a console last, in seconds since the epoch."""
        self._counted: dict[str, int] = {}
        self._clock = clock

    def saw(self, vmi: VirtualMachineInstance, *, began: bool = False) -> None:
        """A VMI has changed. ``began``: it is one of those that were there before us, whose past is not counted."""
        steps = vmi.status.phase_transition_timestamps
        counted = self._counted.get(vmi.metadata.uid, len(steps) if began else 0)
        self._counted[vmi.metadata.uid] = max(counted, len(steps))
        if counted >= len(steps):
            return
        times = [_seconds(step.phase_transition_timestamp) for step in steps]
        for index in range(counted, len(steps)):
            self._count(vmi, [step.phase for step in steps], times, index)

    def forget(self, vmi: VirtualMachineInstance) -> None:
        """It is gone; histograms stay."""
        self._counted.pop(vmi.metadata.uid, None)
        key = (vmi.metadata.namespace, vmi.metadata.name)
        self.panics.pop(key, None)
        self.connections.pop(key, None)

    def panicked(self, key: Key) -> None:
        self.panics[key] = self.panics.get(key, 0) + 1

    def connected(self, key: Key) -> None:
        """Somebody opened a console."""
        self.connections[key] = self._clock()

    def _count(
        self, vmi: VirtualMachineInstance, phases: Sequence[str], times: Sequence[float | None], index: int
    ) -> None:
        phase, moment, created = phases[index], times[index], _seconds(vmi.metadata.creation_timestamp)
        if moment is None or created is None:
            return
        _observe(self.from_creation, phase, moment - created)
        before = times[index - 1] if index else created
        if before is not None:
            _observe(self.between, (phase, phases[index - 1] if index else ""), moment - before)
        deleted = _seconds(vmi.metadata.deletion_timestamp)
        if deleted is not None and phase in FINAL:
            _observe(self.from_deletion, phase, moment - deleted)


def _observe(histograms: dict[K, Histogram], key: K, seconds: float) -> None:
    """Clocks may be set back; nothing takes less than no time."""
    histograms.setdefault(key, Histogram()).observe(max(seconds, 0.0))


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return timestamps.parse(text).timestamp()
    except ValueError:
        return None
