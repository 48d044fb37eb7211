"""All concerns of a live update, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live.concern import Concern


def all_concerns(launcher: Launcher) -> Sequence[Concern]:
    """``launcher`` prepares what new devices need."""
    return ()
