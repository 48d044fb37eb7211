"""What users ask of the machine itself, at once: pause, reboots, keys, its monitor. Must not know HTTP.

Source: kubevirt pkg/virt-api/rest/subresource.go.
"""

from __future__ import annotations

import asyncio

from solovirt.api.meta import find_condition
from solovirt.controllers import refusals
from solovirt.controllers.guest_clock import GuestClocks
from solovirt.controllers.guest_waking import GuestWaking
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.controllers.vmi.ender import has_acpi
from solovirt.controllers.vmi.rebooting import Reboots
from solovirt.hypervisor import keyboard, monitorrules, screen
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.keyboard import Chord
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.monitorrules import Right
from solovirt.kit.errors import BadRequest, Forbidden, GuestError, SolovirtError
from solovirt.kit.json import Json, JsonObject

AGENT_PATIENCE = 5.0
HOLD = 0.02
"""Seconds that a key is down unless somebody says otherwise. QEMU alone would hold each for a tenth."""
LONGEST_HOLD = 10.0
LONGEST_TEXT = 2048
MOST_CHORDS = 256
MONITOR_PATIENCE = 60.0


class MachineOperations:
    """All raise NotFound for an unknown VMI, Conflict when it does not run."""

    def __init__(self, site: Site, targets: Targets, reboots: Reboots) -> None:
        self._site = site
        self._targets = targets
        self._reboots = reboots
        self.clocks = GuestClocks(site)
        self.waking = GuestWaking(site)

    async def pause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Stop the machine's CPUs. Returns when they stand still."""
        vmi, instance = self._targets.running(namespace, name)
        if vmi.spec.liveness_probe is not None and vmi.spec.liveness_probe.guest_agent_ping is None:
            raise refusals.pause_forbidden(name)
        if find_condition(vmi.status.conditions, "Paused") is not None or instance.run_state is RunState.PAUSED:
            raise conflict(name, refusals.VMI_PAUSED)
        _check_no_dump(name, instance)
        if not dry_run:
            await self.waking.forget(instance.uid)
            await instance.pause()

    async def unpause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Let a paused machine run again; its guest's clock is set a moment later."""
        vmi, instance = self._targets.running(namespace, name)
        if instance.run_state is RunState.RUNNING:
            raise conflict(name, refusals.VMI_NOT_PAUSED)
        _check_no_dump(name, instance)
        if dry_run:
            return
        if instance.run_state is RunState.SUSPENDED:
            await self.waking.wake(instance)
            return
        await self.clocks.intend(instance)
        await instance.resume()
        self.clocks.mend(vmi, instance)

    async def soft_reboot(self, namespace: str, name: str) -> None:
        """Have the guest reboot: its agent, else the power button, after which it is started again.

        Returns when the guest was told; it may take its time, or do nothing.
        """
        vmi = self._targets.vmi(namespace, name)
        if vmi.status.phase != "Running":
            raise conflict(name, refusals.VM_NOT_RUNNING, refusals.VMI)
        _, instance = self._targets.running(namespace, name)
        if instance.run_state is not RunState.RUNNING:
            raise conflict(name, refusals.VMI_IS_PAUSED, refusals.VMI)
        if not instance.agent.connected and not has_acpi(vmi):
            raise conflict(name, refusals.NO_WAY_TO_REBOOT, refusals.VMI)
        await self._reboots.forget(instance.uid)
        if instance.agent.connected:
            try:
                await _ask_for_reboot(instance)
                return
            except GuestError:
                # An agent that is deaf, or may not.
                if not has_acpi(vmi):
                    raise
        await self._reboots.press(instance)

    async def reset(self, namespace: str, name: str) -> None:
        """Press the reset button: the guest is not asked. The machine, and its VMI, stay the same.

        A guest that is suspended boots; one that is paused begins anew when it is unpaused.
        """
        vmi = self._targets.vmi(namespace, name)
        if vmi.status.phase != "Running":
            raise refusals.no_reset(vmi.status.phase)
        _, instance = self._targets.running(namespace, name)
        _check_no_dump(name, instance)
        await self._reboots.forget(instance.uid)
        if instance.run_state is RunState.SUSPENDED:
            # QEMU would reset it, and let it stand.
            await self.waking.wake(instance)
        await instance.qmp("system_reset")
        self._site.events.normal(vmi, "Reset", "The machine was reset.")

    async def nmi(self, namespace: str, name: str) -> None:
        """A non-maskable interrupt to the guest: many kernels write a crash dump then."""
        vmi, instance = self._targets.running(namespace, name)
        if instance.run_state is not RunState.RUNNING:
            raise conflict(name, refusals.VMI_IS_PAUSED, refusals.VMI)
        await instance.qmp("inject-nmi")
        self._site.events.normal(vmi, "NMI", "A non-maskable interrupt was sent to the guest.")

    async def send_keys(
        self, namespace: str, name: str, keys: list[str], *, text: str = "", hold: float = HOLD
    ) -> None:
        """Presses chords (``ctrl-alt-delete``) one after the other, then types ``text`` as on a US keyboard.

        ``hold`` is how many seconds each is down. Returns when all of them are up again. What was typed is not
        recorded: it may be a password.
        """
        if len(keys) > MOST_CHORDS or len(text) > LONGEST_TEXT:
            raise BadRequest(f"at most {MOST_CHORDS} keys and {LONGEST_TEXT} characters of text at a time")
        if not 0 < hold <= LONGEST_HOLD:
            raise BadRequest(f"holdTime: must be above 0 and at most {LONGEST_HOLD:g} s", field="holdTime")
        chords = [*map(keyboard.chord, keys), *keyboard.typed(text)]
        if not chords:
            raise BadRequest("keys or text: at least one key is required", field="keys")
        _, instance = self._targets.running(namespace, name)
        if instance.run_state is not RunState.RUNNING:
            raise conflict(name, refusals.VMI_IS_PAUSED, refusals.VMI)
        for chord in chords:
            await _press(instance, chord, hold)

    async def screenshot(self, namespace: str, name: str, *, move_cursor: bool = False) -> bytes:
        """The screen as PNG; ``move_cursor`` wakes up one that the guest has switched off."""
        vmi = self._targets.vmi(namespace, name)
        if vmi.spec.domain.devices.autoattach_graphics_device is False:
            raise refusals.no_graphics()
        if vmi.status.phase != "Running":
            raise refusals.not_running()
        _, instance = self._targets.running(namespace, name)
        if move_cursor and instance.run_state is RunState.RUNNING:
            await screen.wiggle(instance)
        return await screen.picture(instance)

    async def qmp(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, confirmed: bool = False
    ) -> Json:
        """Any command of QEMU's monitor; its raw reply. Commands that are no questions are recorded as events.

        BadRequest for one that is not ``confirmed`` though it changes something; Forbidden for one that would break
        what solovirt relies on.
        """
        verdict = monitorrules.judge(command, arguments)
        vmi, instance = self._targets.running(namespace, name)
        if verdict.right is Right.FREE:
            return await instance.qmp(command, arguments or None, timeout=MONITOR_PATIENCE)
        shown = monitorrules.shown(command, arguments)
        if verdict.right is Right.REFUSED:
            self._site.events.warning(vmi, "MonitorCommandRefused", f"{shown}: {verdict.why}")
            raise Forbidden(f"{shown} is refused: {verdict.why}", field="command")
        if not confirmed:
            text = f"{shown} changes the machine behind solovirt's back: it has to be confirmed"
            raise BadRequest(text, field="confirm", hint="give --yes when you know what it does")
        # Before it is sent: whatever happens then has its explanation.
        self._site.events.normal(vmi, "MonitorCommand", shown)
        try:
            return await instance.qmp(command, arguments or None, timeout=MONITOR_PATIENCE)
        except SolovirtError as error:
            self._site.events.warning(vmi, "MonitorCommandFailed", f"{shown}: {error}")
            raise


async def _ask_for_reboot(instance: Instance) -> None:
    """Raises ``GuestError`` when the agent says no, or nothing at all; ``Unavailable`` when QEMU is gone."""
    try:
        await instance.agent.command("guest-shutdown", {"mode": "reboot"}, timeout=AGENT_PATIENCE)
    except GuestError as error:
        # It ends before it has answered.
        if error.reason != "AgentNotConnected" or instance.agent.connected:
            raise
        # Or its whole machine did.
        await instance.status()


async def _press(instance: Instance, chord: Chord, hold: float) -> None:
    keys: list[Json] = [{"type": "qcode", "data": key} for key in chord]
    milliseconds = max(1, round(hold * 1000))
    await instance.qmp("send-key", {"keys": keys, "hold-time": milliseconds})
    # QEMU goes on at once and drops what its queue cannot hold: down, a pause, up, a pause.
    await asyncio.sleep(2 * milliseconds / 1000)


def _check_no_dump(name: str, instance: Instance) -> None:
    if instance.run_state is RunState.SAVE_VM:
        raise conflict(name, refusals.DUMPING, refusals.VMI)
