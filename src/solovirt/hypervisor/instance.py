"""One running QEMU: its process, its monitor, its agent, its console.

Truth is what the process (by pidfd) and QMP say. An instance is made by ``solovirt.hypervisor.supervisor``, for a QEMU
that was just started or one found alive. It must not know objects, nor why somebody wants it to run.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from solovirt.hypervisor import pinning, sockets, waking
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.console import ConsoleSession
from solovirt.hypervisor.forward import Forwards
from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.model import EventKind, Identity, InstanceEvent, Pinning, RunState
from solovirt.hypervisor.qmp import Qmp
from solovirt.hypervisor.resets import Resets
from solovirt.hypervisor.states import StateTracker, agent_port_open, event_of, port_change
from solovirt.kit.errors import HostError, SolovirtError, TimedOut, Unavailable
from solovirt.kit.json import Json, JsonObject, get_str
from solovirt.kit.process import Child, describe_exit

log = logging.getLogger(__name__)

AGENT_PORT = "org.qemu.guest_agent.0"
_ASLEEP = {
    RunState.PAUSED: "the guest is paused (`solovirt unpause` lets it go on)",
    RunState.SUSPENDED: "the guest is suspended to RAM (`solovirt guest wakeup` wakes it up)",
}
EXIT_TIMEOUT = 15.0
"""Seconds that QEMU has to be gone after ``quit`` or SIGKILL; flushing large disks takes its time."""


class Instance:
    """Every command raises ``GuestError`` (QEMU refused), ``Unavailable`` (no monitor) or ``TimedOut``."""

    def __init__(self, identity: Identity, child: Child, emit: Callable[[InstanceEvent], None]) -> None:
        self.identity = identity
        self.uid = identity.uid
        self.pid = child.pid
        self.agent = GuestAgent(lambda: self.connect(identity.sockets.agent), self._asleep)
        self._child = child
        self._emit = emit
        self._qmp: Qmp | None = None
        self._tracker = StateTracker()
        self._agent_port = ""
        self._console: ConsoleSession | None = None
        self.happenings = Happenings()
        """QMP events, for those who wait for what their command causes."""
        self.resets = Resets()
        self.forwarding = Forwards()
        """Held while a port of the guest is forwarded (``hypervisor.forward``)."""
        self._tasks: list[asyncio.Task[None]] = []
        self._gone = asyncio.Event()

    @property
    def run_state(self) -> RunState:
        """As of the last event or query; what it was at the end, once QEMU has exited."""
        return self._tracker.state

    @property
    def has_exited(self) -> bool:
        return self._child.has_exited

    @property
    def console_open(self) -> bool:
        """Somebody is at the serial console."""
        return self._console is not None and self._console.is_open

    async def pause(self) -> None:
        """Stop the CPUs. Nothing happens when they are stopped already."""
        await self.qmp("stop")

    async def resume(self) -> None:
        """Let the CPUs run. ``GuestError`` when the guest has powered off."""
        await self.qmp("cont")

    async def powerdown(self) -> None:
        """Press the ACPI power button; the guest answers with a ``shutdown`` event, or not at all. One that is
        suspended is woken up, to notice.
        """
        if self.run_state is RunState.SUSPENDED:
            await self.wakeup()
        await self.qmp("system_powerdown")

    async def wakeup(self) -> None:
        """Let a guest that suspended itself to RAM go on; ``GuestError`` when it did not, or cannot be woken."""
        await waking.wake(self)

    async def finish_wakeup(self) -> None:
        """The rest of a ``wakeup`` whose daemon died before its end."""
        await waking.finish(self)

    async def status(self) -> RunState:
        """Ask QEMU."""
        self._tracker.set(await self._monitor().query_status())
        return self._tracker.state

    async def quit(self) -> None:
        """End QEMU in order (disks are flushed) and wait until it is gone. ``TimedOut`` when it is not after 15 s."""
        monitor = self._monitor()
        try:
            await monitor.execute("quit", timeout=EXIT_TIMEOUT)
        except Unavailable:
            pass  # it may hang up before it answers
        await self._wait_gone("quit")

    async def kill(self) -> None:
        """SIGKILL and wait until it is gone. ``TimedOut`` when it is not after 15 s (it hangs in the kernel)."""
        self._child.signal()
        await self._wait_gone("SIGKILL")

    async def wait(self) -> int | None:
        """Wait until QEMU is gone; its exit code as in :class:`InstanceEvent`."""
        await self._gone.wait()
        return self._child.exit_code

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json:
        """Any QMP command."""
        return await self._monitor().execute(command, arguments, timeout=timeout)

    async def getfd(self, name: str, descriptor: int) -> None:
        """Gives QEMU a copy of ``descriptor`` under a name, for a command that takes ``fd:NAME``."""
        await self._monitor().hand_over(descriptor, "getfd", {"fdname": name})

    async def add_fd(self, descriptor: int, number: int) -> None:
        """Gives QEMU a copy of ``descriptor``, for its set ``number``, which it opens as ``/dev/fdset/NUMBER``.

        ``remove-fd`` closes what is in it.
        """
        await self._monitor().hand_over(descriptor, "add-fd", {"fdset-id": number})

    def expect_stop(self, state: RunState | None) -> None:
        """Our next command stops the machine for a while, to be in ``state``; None: it did not, or is over."""
        self._tracker.expect(state)

    async def open_console(self) -> ConsoleSession:
        """A session on the serial console; the one before, if any, ends. Raises ``Unavailable``."""
        if self._console is not None:
            self._console.end()
            self._console = None
        try:
            connection = self.connect(self.identity.sockets.serial)
        except (OSError, HostError) as error:
            raise Unavailable(f"the serial console cannot be reached: {error}") from error
        self._console = await ConsoleSession.open(connection)
        return self._console

    def connect(self, path: str) -> socket.socket:
        """A connection to a socket on which this very process listens. Raises ``OSError`` or ``HostError``."""
        run_as = self.identity.run_as
        connection, peer = sockets.connect(path, uid=run_as[0] if run_as else sockets.own_uid())
        if peer.pid != self.pid:
            connection.close()
            raise HostError(f"{path} is served by process {peer.pid}, expected {self.pid}", reason="UnsafeSocket")
        return connection

    # For the supervisor.

    async def greet(self, connection: socket.socket, *, timeout: float) -> None:
        """Negotiate QMP and make sure that it is the right machine.

        Raises ``Unavailable``, ``TimedOut``, or ``HostError`` reason "WrongMachine".
        """
        self._qmp = await Qmp.connect(connection, self._on_event, timeout=timeout)
        found = await self._qmp.query_uuid()
        if found != self.identity.uuid.lower():
            raise HostError(f"QEMU runs machine {found}, expected {self.identity.uuid}", reason="WrongMachine")

    async def begin(self) -> None:
        """Once greeted: start to watch, and run the machine unless it is to be paused or was started before."""
        self._tasks.append(asyncio.create_task(self._watch_exit(), name=f"exit {self.uid}"))
        self._tasks.append(asyncio.create_task(self._keep_monitor(), name=f"monitor {self.uid}"))
        state = await self.status()
        if self.identity.pinning is not None:
            await self._pin(self.identity.pinning, running=state is not RunState.PRELAUNCH)
        if state is RunState.PRELAUNCH:
            for device in self.identity.links_down:
                await self.qmp("set_link", {"name": device, "up": False})
            if not self.identity.paused:
                await self.resume()
        await self._find_agent()

    async def _pin(self, wanted: Pinning, *, running: bool) -> None:
        try:
            await pinning.apply(self, wanted)
        except HostError as error:
            # One that runs already is not given up for it.
            if not running:
                raise
            log.warning("instance %s: %s", self.uid, error)

    async def release(self) -> None:
        """Let go of QEMU, which goes on as it is."""
        await self.detach()
        self._child.release()

    async def detach(self) -> None:
        """Watch no more and hang up everywhere; only the process is still held."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._hang_up()
        if self._qmp is not None:
            await self._qmp.disconnect()

    # Inside.

    def _asleep(self) -> str:
        return _ASLEEP.get(self.run_state, "")

    def _monitor(self) -> Qmp:
        if self._qmp is None or self._qmp.closed.is_set():
            raise Unavailable("QEMU's monitor is not connected")
        return self._qmp

    async def _wait_gone(self, cause: str) -> None:
        try:
            async with asyncio.timeout(EXIT_TIMEOUT):
                await self._gone.wait()
        except TimeoutError as error:
            raise TimedOut(f"QEMU (process {self.pid}) is still there {EXIT_TIMEOUT:g} s after {cause}") from error

    def _tell(self, kind: EventKind, detail: str = "", exit_code: int | None = None) -> None:
        self._emit(InstanceEvent(self.uid, kind, detail, exit_code))

    def _on_event(self, message: JsonObject) -> None:
        name, data = event_of(message)
        self.happenings.tell(name, data)
        if name == "RESET":
            self.resets.seen()
        if (change := port_change(name, data)) is not None:
            if change[0] == self._agent_port:
                self._set_agent(change[1])
        elif (happening := self._tracker.apply(name, data)) is not None:
            self._tell(happening.kind, happening.detail)

    def _set_agent(self, connected: bool) -> None:
        if connected != self.agent.connected:
            self.agent.set_connected(connected)
            self._tell("agent-connected" if connected else "agent-disconnected")

    async def _find_agent(self) -> None:
        """Learn the device id of the agent's port, by which events name it, and whether it is open now.

        An event in between is not lost: the id is known before the state is asked for.
        """
        devices = await self.qmp("qom-list", {"path": "/machine/peripheral"})
        for device in devices if isinstance(devices, list) else []:
            if isinstance(device, dict) and get_str(device, "type") == "child<virtserialport>":
                device_id = get_str(device, "name")
                path = f"/machine/peripheral/{device_id}"
                if await self.qmp("qom-get", {"path": path, "property": "name"}) == AGENT_PORT:
                    self._agent_port = device_id
        if self._agent_port:
            self._set_agent(agent_port_open(await self.qmp("query-chardev"), self.identity.sockets.agent))

    async def _watch_exit(self) -> None:
        code = await self._child.wait()
        if self._qmp is not None:
            try:
                async with asyncio.timeout(2):  # what QEMU said last may still be in the socket
                    await self._qmp.closed.wait()
            except TimeoutError:
                await self._qmp.disconnect()
        self._hang_up()
        try:
            sockets.remove_all(self.identity.sockets)
        except HostError as error:
            log.warning("%s", error)
        self._gone.set()
        self._tell("exited", f"QEMU {describe_exit(code)}", code)

    async def _keep_monitor(self) -> None:
        """Connect again when the monitor is lost though QEMU lives (an oversized reply, a hostile one)."""
        while self._qmp is not None:
            await self._qmp.closed.wait()
            self.happenings.lost()
            pause = 0.05
            while self._qmp.closed.is_set():
                await asyncio.sleep(pause)
                if self._child.has_exited:
                    return
                pause = min(pause * 2, 5.0)
                await self._reconnect()

    async def _reconnect(self) -> None:
        before = self._tracker.state
        try:
            await self.greet(self.connect(self.identity.sockets.qmp), timeout=30)
            now = await self.status()
            await self._find_agent()
        except (OSError, SolovirtError) as error:
            log.warning("instance %s: monitor lost: %s", self.uid, error)
            if self._qmp is not None and not self._qmp.closed.is_set():
                await self._qmp.disconnect()
            return
        if now is not before:
            self._catch_up(now)

    def _catch_up(self, now: RunState) -> None:
        """Tell what happened while there was no monitor, as far as the run state shows it."""
        if now is RunState.RUNNING:
            self._tell("running")
        elif now is RunState.SHUTDOWN:
            self._tell("shutdown", "unknown")
        else:
            self._tell("paused", now.value)

    def _hang_up(self) -> None:
        self.happenings.lost()
        self.agent.set_connected(False)
        if self._console is not None:
            self._console.end()
            self._console = None
