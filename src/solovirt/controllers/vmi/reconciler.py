"""The VirtualMachineInstance controller: one machine for each VMI, its status, its end.

Level-triggered: truth about a machine is what the hypervisor says now; truth about the past is the phase in the object.
A phase is written before what follows from it is done, so a daemon that dies in between goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vm.factory import NODE_NAME, VMI_FINALIZER
from solovirt.controllers.vmi import status
from solovirt.controllers.vmi.agent import AgentMonitor
from solovirt.controllers.vmi.credentials import Credentials
from solovirt.controllers.vmi.ender import Ender, has_acpi
from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live.concerns import all_concerns
from solovirt.controllers.vmi.live.updates import LiveUpdates
from solovirt.controllers.vmi.lookup import StoreLookup
from solovirt.controllers.vmi.machines import Machines, has_powered_off
from solovirt.controllers.vmi.probing import Probes
from solovirt.controllers.vmi.rebooting import Reboots
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.controllers.vmi.scheduler import Scheduler
from solovirt.controllers.vmi.starter import Starter
from solovirt.controllers.vmi.users import Users
from solovirt.controllers.vmi.watch import Watch
from solovirt.host.places import SERIAL_LOG
from solovirt.hypervisor import logfile
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import InstanceEvent, RunState
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import NotFound, SolovirtError

log = logging.getLogger(__name__)

VMIS = registry.VIRTUAL_MACHINE_INSTANCES
POWERED_OFF = ("guest-shutdown", "guest-reset", "unknown")
"""Why QEMU stops a machine for good; a reset only where rebootPolicy is Terminate."""
DNS_CONFIG = (
    "dnsConfig.nameservers and options are not told to the guest: the user network answers with this host's resolver;"
    " cloud-init networkData can set them"
)
LOOK_AT_LOGS = 5.0
"""Seconds. QEMU's serial port takes a few MB/s at most."""


class VirtualMachineInstances:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._objects = site.objects
        self.records = MachineRecords(site.objects.records)
        self.machines = Machines(site.paths, site.hypervisor, self.records)
        self.users = Users(self.records, site.claims, site.images)
        self.queue: SerialQueues[Key] = SerialQueues(self.reconcile, name="vmi", workers=32)
        self.scheduler = Scheduler(site, self.records)
        self.launcher = Launcher(site, self.records, self.machines, self.users, self.scheduler)
        self.starter = Starter(site, self.launcher, self.scheduler, self.queue.add, self._write)
        self.starter.queue = self.queue
        self.ender = Ender(site, self.records, self.machines, self.users)
        self.reboots = Reboots(site)
        self.agents = AgentMonitor(self._wake)
        self.probes = Probes(site.events, self._wake, site.clock, self.records.is_frozen)
        self.credentials = Credentials(site.events, StoreLookup(site.objects).secret, self._wake)
        self._keys: dict[str, Key] = {}
        self.live = LiveUpdates(site, self.records, all_concerns(self.launcher), self._wake, self._wake_after)
        self.watch = Watch(site, self.agents, self.probes, self.credentials, self.live)
        self._exits: dict[str, InstanceEvent] = {}
        self._powered_off: set[str] = set()
        self._watchdogs: set[str] = set()

    async def close(self) -> None:
        """Lets go of everything; no machine is touched."""
        await self.queue.stop()
        await self.starter.close()
        await self.live.close()
        await self.agents.close()
        await self.probes.close()
        await self.credentials.close()
        await self.watch.close()

    async def keep_logs_small(self) -> None:
        """A guest can write without end, to its serial console and into QEMU's mouth. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_AT_LOGS)
            directories = [self._site.paths.instance(instance.uid) for instance in self._site.hypervisor.instances()]
            await asyncio.to_thread(_trim_logs, directories)

    def know(self, uid: str, key: Key) -> None:
        """Events of this machine belong to that VMI."""
        self._keys[uid] = key

    def on_event(self, event: InstanceEvent) -> None:
        """What the hypervisor tells; called in the event loop, must not wait."""
        uid = event.uid
        match event.kind:
            case "exited":
                self._exits[uid] = event
                self.machines.exited(uid)
                self.watch.forget(uid)
            case "shutdown" if event.detail in POWERED_OFF:
                self._powered_off.add(uid)
            case "agent-connected":
                instance = self.machines.known(uid)
                if instance is not None:
                    self.agents.connected(instance)
                    self.credentials.agent_connected(uid)
                    self.live.retry(uid)
            case "reset":
                self.live.retry(uid)
            case "unplugged":
                self.live.look(uid)
            case "agent-disconnected":
                self.agents.disconnected(uid)
            case "io-error" | "panicked" | "watchdog" | "helper-exited":
                self._warn(uid, event)
            case "suspended":
                self._tell(uid, "Suspended", "The guest suspended itself to RAM.")
            case _:
                pass
        self._wake(uid)

    async def reconcile(self, key: Key) -> None:
        """The next step of one VMI. What goes wrong is told in an event and tried again later."""
        vmi = self._objects.find(VMIS, *key)
        if vmi is None:
            return
        try:
            await self._reconcile(vmi, key)
        except SolovirtError as error:
            self._site.events.warning(vmi, "SyncFailed", str(error))
            self.queue.retry(key)
        except Exception:
            self._site.events.warning(vmi, "SyncFailed", "internal error; the daemon's log has the traceback")
            raise

    async def _reconcile(self, vmi: VirtualMachineInstance, key: Key) -> None:
        uid = vmi.metadata.uid
        self._keys[uid] = key
        if vmi.metadata.deletion_timestamp is not None:
            await self._delete(vmi)
        elif VMI_FINALIZER not in vmi.metadata.finalizers:
            # Before anything is done that would have to be undone.
            await self._objects.modify(VMIS, *key, _hold)
        elif vmi.status.phase in status.FINAL:
            self.watch.forget(uid)
            await self.live.forget(uid)
            await self.ender.stop(vmi, await self._find(vmi))
            self._free(uid)
        else:
            await self._live(vmi)

    async def _find(self, vmi: VirtualMachineInstance) -> Instance | None:
        return await self.machines.find(vmi.metadata.uid, begun=status.has_begun(vmi))

    async def _live(self, vmi: VirtualMachineInstance) -> None:
        instance = await self._find(vmi)
        if instance is None and vmi.status.phase != status.RUNNING:
            instance = await self.starter.step(vmi)
            if instance is None:
                return
            self.live.started(vmi.metadata.uid, vmi.spec)
        if instance is None:
            await self._ended(vmi)
        elif self._is_off(instance) and self.reboots.is_due(instance.uid):
            await self.reboots.finish(vmi, instance)
            self._powered_off.discard(instance.uid)
        elif self._is_off(instance):
            await self._finish(vmi, status.SUCCEEDED, "", "The VirtualMachineInstance was shut down.")
        elif instance.run_state is RunState.GUEST_PANICKED:
            await self._finish(vmi, status.FAILED, "GuestPanicked", "The guest panicked.")
        elif dead := self.probes.failure(instance.uid):
            await self._finish(
                vmi, status.FAILED, "LivenessProbeFailed", f"The VirtualMachineInstance was ended: {dead}"
            )
        else:
            await self._running(vmi, instance)

    async def _running(self, vmi: VirtualMachineInstance, instance: Instance) -> None:
        uid = vmi.metadata.uid
        started = vmi.status.phase != status.RUNNING
        if vmi.metadata.deletion_timestamp is None:
            self.live.follow(vmi, instance)
        view = self.watch.look(vmi, instance, self.records.launch(uid))

        def change(found: VirtualMachineInstance) -> None:
            status.run(found, view, self._site.now())
            if found.spec.volumes:
                status.data_volumes(found.status, "", self._site.now())

        await self._write(vmi, change)
        if started:
            await self._label(vmi)
            self._site.events.normal(vmi, "Created", "VirtualMachineInstance defined.")
            self._site.events.normal(vmi, "Started", "VirtualMachineInstance started.")
            if (config := vmi.spec.dns_config) is not None and (config.nameservers or config.options):
                self._site.events.warning(vmi, "DNSConfig", DNS_CONFIG)
            if self._site.facts.accel == "tcg":
                self._site.events.warning(vmi, "SoftwareEmulation", self._site.facts.accel_reason or "KVM is not used")

    async def _ended(self, vmi: VirtualMachineInstance) -> None:
        """It ran, and its QEMU is gone."""
        uid = vmi.metadata.uid
        if uid in self._powered_off:
            await self._finish(vmi, status.SUCCEEDED, "", "The VirtualMachineInstance was shut down.")
            return
        event = self._exits.get(uid)
        if uid in self._watchdogs:
            text = "The guest's watchdog fired and switched it off."
            await self._finish(vmi, status.FAILED, "Watchdog", text)
            return
        what = event.detail if event is not None else "QEMU ended while no daemon was there"
        words = self.machines.last_words(uid)
        text = f"The VirtualMachineInstance crashed: {what}" + (f": {words}" if words else "")
        await self._finish(vmi, status.FAILED, "Crashed", text)

    async def _finish(self, vmi: VirtualMachineInstance, phase: str, reason: str, message: str) -> None:
        """The phase first; the process follows from it when the queue comes back to this VMI."""
        if vmi.status.phase not in status.FINAL:
            tell = self._site.events.normal if phase == status.SUCCEEDED else self._site.events.warning
            tell(vmi, "Stopped", message)
            await self._write(vmi, lambda found: status.finish(found.status, phase, reason, self._site.now()))
        self.queue.add(_key(vmi))

    async def _delete(self, vmi: VirtualMachineInstance) -> None:
        uid = vmi.metadata.uid
        await self.starter.forget(uid)
        await self.live.forget(uid)
        instance = await self._find(vmi)
        if vmi.status.phase not in status.FINAL:
            if instance is not None and not self._is_off(instance):
                wait = await self.ender.ask(vmi, instance)
                if wait > 0:
                    await self._running(vmi, instance)
                    self.queue.add_after(_key(vmi), wait)
                    return
                orderly = instance.run_state is RunState.PRELAUNCH or not has_acpi(vmi)
                text = "The VirtualMachineInstance was killed after its grace period."
                phase = status.SUCCEEDED if orderly else status.FAILED
                await self._finish(vmi, phase, "", "The VirtualMachineInstance was shut down." if orderly else text)
            elif instance is None and vmi.status.phase == status.RUNNING:
                await self._ended(vmi)
            else:
                await self._finish(vmi, status.SUCCEEDED, "", "The VirtualMachineInstance was shut down.")
            return
        await self.ender.stop(vmi, instance)
        self._free(uid)
        await self.ender.clean_up(vmi, VMI_FINALIZER)
        self._forget(uid)

    def _is_off(self, instance: Instance) -> bool:
        # QEMU says SHUTDOWN a moment before its run state follows.
        return instance.uid in self._powered_off or has_powered_off(instance)

    def _free(self, uid: str) -> None:
        """What its machine had of the host is for those who wait."""
        self.scheduler.release(uid)
        self.starter.room()

    def _forget(self, uid: str) -> None:
        self.watch.forget(uid)
        self._watchdogs.discard(uid)
        self._keys.pop(uid, None)
        self._exits.pop(uid, None)
        self._powered_off.discard(uid)

    async def _label(self, vmi: VirtualMachineInstance) -> None:
        node = self._site.facts.node_name

        def change(found: VirtualMachineInstance) -> bool:
            if found.metadata.labels.get(NODE_NAME) == node:
                return False
            found.metadata.labels[NODE_NAME] = node
            return True

        try:
            await self._objects.modify(VMIS, *_key(vmi), change)
        except NotFound:
            pass

    async def _write(self, vmi: VirtualMachineInstance, change: Callable[[VirtualMachineInstance], None]) -> None:
        uid = vmi.metadata.uid

        def apply(found: VirtualMachineInstance) -> bool:
            if found.metadata.uid != uid:
                return False
            change(found)
            return True

        try:
            await self._objects.modify(VMIS, *_key(vmi), apply, status=True)
        except NotFound:
            pass

    def _wake_after(self, uid: str, seconds: float) -> None:
        key = self._keys.get(uid)
        if key is not None:
            self.queue.add_after(key, seconds)

    def _wake(self, uid: str) -> None:
        key = self._keys.get(uid)
        if key is not None:
            self.queue.add(key)

    def _tell(self, uid: str, reason: str, message: str) -> None:
        key = self._keys.get(uid)
        vmi = self._objects.find(VMIS, *key) if key is not None else None
        if vmi is not None:
            self._site.events.normal(vmi, reason, message)

    def _warn(self, uid: str, event: InstanceEvent) -> None:
        key = self._keys.get(uid)
        vmi = self._objects.find(VMIS, *key) if key is not None else None
        if vmi is None:
            return
        if event.kind == "watchdog":
            if event.detail == "poweroff":  # QEMU goes without another word
                self._watchdogs.add(uid)
            self._site.events.warning(vmi, "Watchdog", f"The guest did not feed its watchdog (action: {event.detail})")
        elif event.kind == "helper-exited":
            self._site.events.warning(vmi, "HelperExited", f"The guest goes on without its helper: {event.detail}")
        elif event.kind == "io-error":
            self._site.events.warning(vmi, "IOerror", f"VM Paused due to IO error at the volume: {event.detail}")
        else:
            self._site.events.warning(vmi, "GuestPanicked", f"The guest panicked ({event.detail})")


def _hold(vmi: VirtualMachineInstance) -> bool:
    if VMI_FINALIZER in vmi.metadata.finalizers or vmi.metadata.deletion_timestamp is not None:
        return False
    vmi.metadata.finalizers.append(VMI_FINALIZER)
    return True


def _key(vmi: VirtualMachineInstance) -> Key:
    return (vmi.metadata.namespace, vmi.metadata.name)


def _trim_logs(directories: Iterable[Path]) -> None:
    for directory in directories:
        for name in (SERIAL_LOG, *logfile.names(directory)):
            try:
                if logfile.trim(directory, name):
                    log.info("instance %s: %s was cut, its end is in %s.1", directory.name, name, name)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("instance %s: %s cannot be kept small: %s", directory.name, name, error.strerror)
