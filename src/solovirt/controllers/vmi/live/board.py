"""What a concern of volumes has to say while it works: how each volume is, and what was refused.

A volume that is tried again says what it said before until there is news: statuses do not flicker.
"""

from __future__ import annotations

from solovirt.api.kubevirt.virtualmachineinstance import VolumeStatus
from solovirt.api.meta import Condition, find_condition
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.controllers.vmi.volume_status import DETACHING, PENDING

CONDITION = "VolumesChange"


class Board:
    """Shows every change of it. ``problem`` makes the condition VolumesChange False until the next look."""

    def __init__(self, update: Update) -> None:
        self._update = update
        status = update.vmi.status
        self._before = {one.name: one for one in status.volume_status if one.phase in (PENDING, DETACHING)}
        self._refused = find_condition(status.conditions, CONDITION)
        self._volumes: dict[str, VolumeStatus] = {}
        self._problems: dict[str, tuple[str, str]] = {}
        self._again: list[float] = []

    def show(self, name: str, phase: str, reason: str = "", message: str = "") -> None:
        """A step on the way. One that is gone once more after a failure shows that failure still."""
        before = self._before.get(name)
        if before is None or not before.reason:
            self._volumes[name] = VolumeStatus(name=name, phase=phase, reason=reason, message=message)
            self._update.tell(self._now())

    def stay(self, name: str, phase: str, reason: str, message: str) -> None:
        """It goes no further at this look."""
        self._before.pop(name, None)
        self._volumes[name] = VolumeStatus(name=name, phase=phase, reason=reason, message=message)
        self._update.tell(self._now())

    def done(self, name: str) -> None:
        """Nothing is to be said of it: it is as the spec says."""
        self._before.pop(name, None)
        self._volumes.pop(name, None)

    def problem(self, name: str, reason: str, message: str) -> None:
        self._problems[name] = (reason, f"{name}: {message}")

    def again(self, seconds: float) -> None:
        """Look at it all once more after that time."""
        self._again.append(seconds)

    def report(self) -> Report:
        """The last word of this look."""
        conditions: tuple[Condition, ...] = ()
        if self._problems:
            reason = next(iter(self._problems.values()))[0]
            text = "; ".join(message for _, message in self._problems.values())
            conditions = (Condition(type=CONDITION, status="False", reason=reason, message=text),)
        again = min(self._again) if self._again else None
        return Report(conditions=conditions, volumes=dict(self._volumes), again=again)

    def _now(self) -> Report:
        refused = (self._refused,) if self._refused is not None else ()
        return Report(conditions=refused, volumes={**self._before, **self._volumes})
