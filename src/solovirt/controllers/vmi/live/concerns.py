"""All concerns of a live update, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live.concern import Concern
from solovirt.controllers.vmi.live.cpus import CPUs
from solovirt.controllers.vmi.live.devices import Devices
from solovirt.controllers.vmi.live.disks import Disks
from solovirt.controllers.vmi.live.memory import GuestMemory
from solovirt.controllers.vmi.live.nics import NICs


def all_concerns(launcher: Launcher) -> Sequence[Concern]:
    """``launcher`` prepares what new devices need."""
    return (CPUs(), GuestMemory(), Disks(launcher), NICs(), Devices())
