"""What a concern of volumes has to say while it works: how each volume is, and what was refused."""

from __future__ import annotations

from solovirt.api.kubevirt.virtualmachineinstance import VolumeStatus
from solovirt.api.meta import Condition
from solovirt.controllers.vmi.live.concern import Report, Update

CONDITION = "VolumesChange"


class Board:
    """Shows every change of it. ``problem`` makes the condition VolumesChange False until the next look."""

    def __init__(self, update: Update) -> None:
        self._update = update
        self._volumes: dict[str, VolumeStatus] = {}
        self._problems: dict[str, tuple[str, str]] = {}
        self._again: list[float] = []

    def show(self, name: str, phase: str, reason: str = "", message: str = "") -> None:
        self._volumes[name] = VolumeStatus(name=name, phase=phase, reason=reason, message=message)
        self._update.tell(self.report())

    def done(self, name: str) -> None:
        """Nothing is to be said of it: it is as the spec says."""
        self._volumes.pop(name, None)

    def problem(self, name: str, reason: str, message: str) -> None:
        self._problems[name] = (reason, f"{name}: {message}")

    def again(self, seconds: float) -> None:
        """Look at it all once more after that time."""
        self._again.append(seconds)

    def report(self) -> Report:
        conditions: tuple[Condition, ...] = ()
        if self._problems:
            reason = next(iter(self._problems.values()))[0]
            text = "; ".join(message for _, message in self._problems.values())
            conditions = (Condition(type=CONDITION, status="False", reason=reason, message=text),)
        return Report(
            conditions=conditions, volumes=dict(self._volumes), again=min(self._again) if self._again else None
        )
