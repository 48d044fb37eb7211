"""What became of the devices that a concern plugs and unplugs: one condition, and an event for each.

The condition is True while there is something to wait for, and False when something was refused; when all is done it
goes. What was refused before stays told while it is tried again. Must not know kinds of devices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

from solovirt.api.meta import Condition, find_condition
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.hypervisor.plugging import REFUSED, TIMED_OUT
from solovirt.kit.errors import SolovirtError

SOON, LATER = 5.0, 30.0
"""Seconds until the next attempt: a guest that did not react may do so any moment (each attempt waits for it, too);
what this host or QEMU refused changes more slowly."""
IN_PROGRESS = "InProgress"
RESTART = "RestartRequired"
"""The reason for what the running machine will never be; its VM says it, too."""


class Outcome:
    """``nics`` is shown with every report (see :class:`Report`)."""

    def __init__(self, update: Update, kind: str) -> None:
        self.nics: Mapping[str, str] | None = None
        self.again: float | None = None
        self._update = update
        self._kind = kind
        self._doing: dict[str, str] = {}
        self._failed: dict[str, SolovirtError] = {}
        before = find_condition(update.vmi.status.conditions, kind)
        self._before = before if before is not None and before.status == "False" else None

    def begin(self, name: str, text: str) -> None:
        """``text`` is a sentence about what is waited for."""
        self._doing[name] = text
        self._update.tell(self.report())

    def done(self, name: str, reason: str, text: str) -> None:
        """An event says so."""
        self._doing.pop(name, None)
        self._update.site.events.normal(self._update.vmi, reason, text)

    def failed(self, name: str, error: SolovirtError) -> None:
        """Refused, or not heard. Tried again by itself, where that can help."""
        self._doing.pop(name, None)
        self._failed[name] = error
        if error.reason != RESTART:
            self.wait(SOON if error.reason in (REFUSED, TIMED_OUT) else LATER)
        if self._before is None or str(error) not in self._before.message:
            self._update.site.events.warning(self._update.vmi, error.reason or "LiveUpdateFailed", str(error))

    def wait(self, seconds: float) -> None:
        """Look again after that time at the latest."""
        self.again = seconds if self.again is None else min(self.again, seconds)

    @property
    def reasons(self) -> set[str]:
        """Of what failed."""
        return {error.reason for error in self._failed.values()}

    def report(self) -> Report:
        return Report(conditions=self._conditions(), nics=self.nics, again=self.again)

    def _conditions(self) -> tuple[Condition, ...]:
        if self._failed:
            text = "; ".join(str(error) for error in self._failed.values())
            reason = next(iter(self._failed.values())).reason
            return (Condition(type=self._kind, status="False", reason=reason, message=text),)
        if not self._doing:
            return ()
        if self._before is not None:
            return (self._before,)
        text = "; ".join(self._doing.values())
        return (Condition(type=self._kind, status="True", reason=IN_PROGRESS, message=text),)


async def together(*parts: Awaitable[None]) -> None:
    """All at once, each to its end; then the first error of them is raised, if any."""
    for result in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
