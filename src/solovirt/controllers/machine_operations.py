"""What users ask of the machine itself, at once: pause, unpause. Must not know HTTP."""

from __future__ import annotations

import contextlib
import time

from solovirt.api.meta import find_condition
from solovirt.controllers import refusals
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError


class MachineOperations:
    """All raise NotFound for an unknown VMI, Conflict when it does not run."""

    def __init__(self, site: Site, targets: Targets) -> None:
        self._site = site
        self._targets = targets

    async def pause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Stop the machine's CPUs. Returns when they stand still."""
        vmi, instance = self._targets.running(namespace, name)
        if vmi.spec.liveness_probe is not None and vmi.spec.liveness_probe.guest_agent_ping is None:
            raise refusals.pause_forbidden(name)
        if find_condition(vmi.status.conditions, "Paused") is not None or instance.run_state is RunState.PAUSED:
            raise conflict(name, refusals.VMI_PAUSED)
        if not dry_run:
            await instance.pause()

    async def unpause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Let a paused machine run again."""
        _, instance = self._targets.running(namespace, name)
        if instance.run_state is RunState.RUNNING:
            raise conflict(name, refusals.VMI_NOT_PAUSED)
        if dry_run:
            return
        if instance.run_state is RunState.SUSPENDED:
            await instance.wakeup()
            return
        await instance.resume()
        if instance.agent.connected:
            # The guest's clock stood still with it.
            with contextlib.suppress(GuestError):
                await instance.agent.command("guest-set-time", {"time": time.time_ns()}, timeout=2)
