"""The whole of the controllers over a real store, with machines, volumes and time that a test commands."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.api.cdi.datavolume import DataVolumeSpec
from solovirt.api.core.event import Event
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.spec.compute import Memory
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import Network, PodNetwork
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate, VirtualMachine, VirtualMachineSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.controllers import manager as manager_module
from solovirt.controllers.manager import Manager
from solovirt.controllers.vmi import reconciler as vmi_reconciler
from solovirt.controllers.vmi.agent_support import BASIC
from solovirt.controllers.vmi.live.concern import Concern
from solovirt.host import access, facts
from solovirt.host.model.bindings import DiskImage, KernelBinding, VolumeBinding
from solovirt.host.volumes.prepare import Context, Volumes
from solovirt.hypervisor.agent_info import AgentInfo, IpAddress, OsInfo, SupportedCommand
from solovirt.hypervisor.agent_info import Interface as GuestInterface
from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.model import EventKind, Identity, InstanceEvent, Launch, RunState
from solovirt.hypervisor.resets import Resets
from solovirt.kit.errors import GuestError, HostError, SolovirtError
from solovirt.kit.json import Json, JsonObject
from solovirt.kit.paths import Paths
from solovirt.store.objects import Objects
from tests.support.waiting import Threads, turns

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES


class FakeAgent:
    def __init__(self) -> None:
        self.connected = False
        self.deaf = False
        self.commands: list[str] = []

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        self.commands.append(name)
        return {"echo": name}

    async def info(self) -> AgentInfo:
        return AgentInfo("7.2", tuple(SupportedCommand(name, True) for name in BASIC))

    async def ping(self, *, timeout: float = 0) -> None:
        self.commands.append("guest-ping")
        if self.deaf:
            raise GuestError("no answer", reason="AgentTimeout")

    async def osinfo(self) -> OsInfo:
        return OsInfo(id="tiny", name="Tiny")

    async def interfaces(self) -> tuple[GuestInterface, ...]:
        return (GuestInterface("eth9", "52:54:00:00:00:09", (IpAddress("192.0.2.9", "ipv4", 24),)),)

    async def fsfreeze_status(self) -> str:
        return "thawed"


class FakeInstance:
    """A machine of :class:`FakeHost`; it obeys the power button unless ``host.deaf``."""

    def __init__(self, host: FakeHost, identity: Identity, *, paused: bool) -> None:
        self.host = host
        self.identity = identity
        self.uid = identity.uid
        self.pid = 4000 + len(host.launched)
        self.agent = FakeAgent()
        self.run_state = RunState.PRELAUNCH if paused else RunState.RUNNING
        self.has_exited = False
        self.console_open = False
        self.calls: list[str] = []
        self.replies: dict[str, Json] = {}
        """To QMP commands; [] to all others."""
        self.happenings = Happenings()
        self.resets = Resets()
        self.handed: list[int] = []
        """Descriptors that were handed over; a test closes them."""

    async def status(self) -> RunState:
        return self.run_state

    async def getfd(self, name: str, descriptor: int) -> None:
        self.handed.append(os.dup(descriptor))

    def expect_stop(self, state: RunState | None) -> None:
        self.calls.append(f"expect {state}")

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        self.calls.append(command)
        return self.replies.get(command, [])

    async def wakeup(self) -> None:
        self.calls.append("wakeup")
        self.run_state = RunState.RUNNING
        self.host.tell(self, "running")

    async def pause(self) -> None:
        self.run_state = RunState.PAUSED
        self.host.tell(self, "paused", "paused")

    async def resume(self) -> None:
        self.calls.append("resume")
        self.run_state = RunState.RUNNING
        self.host.tell(self, "running")

    async def powerdown(self) -> None:
        self.calls.append("powerdown")
        if not self.host.deaf:
            self.power_off()

    async def quit(self) -> None:
        self.calls.append("quit")
        self.exit(0)

    async def kill(self) -> None:
        self.calls.append("kill")
        self.exit(-9)

    def power_off(self) -> None:
        """The guest shuts down; with -no-shutdown QEMU stays."""
        self.host.tell(self, "shutdown", "guest-shutdown")
        self.run_state = RunState.SHUTDOWN

    def exit(self, code: int) -> None:
        if not self.has_exited:
            self.has_exited = True
            self.host.alive.pop(self.uid, None)
            self.host.tell(self, "exited", f"QEMU exited with {code}", code)

    def connect_agent(self) -> None:
        self.agent.connected = True
        self.host.tell(self, "agent-connected")


class FakeHost:
    """What lives when a manager is gone: machines, files of claims."""

    def __init__(self) -> None:
        self.alive: dict[str, FakeInstance] = {}
        self.launched: list[FakeInstance] = []
        self.launch_error: SolovirtError | None = None
        self.prepare_error: SolovirtError | None = None
        self.prepare_gate: asyncio.Event | None = None
        self.deaf = False
        self.disks: dict[tuple[str, str], int] = {}
        self.import_error: SolovirtError | None = None
        self.import_gate: asyncio.Event | None = None
        self.imports = 0
        self.on_event: Callable[[InstanceEvent], None] | None = None

    def tell(self, instance: FakeInstance, kind: EventKind, detail: str = "", code: int | None = None) -> None:
        if self.on_event is not None:
            self.on_event(InstanceEvent(instance.uid, kind, detail, code))

    @property
    def machine(self) -> FakeInstance:
        """The only one that is alive."""
        (found,) = self.alive.values()
        return found


class FakeHypervisor:
    def __init__(self, host: FakeHost, on_event: Callable[[InstanceEvent], None]) -> None:
        self.host = host
        self.known: dict[str, FakeInstance] = {}
        host.on_event = on_event

    def get(self, uid: str) -> FakeInstance | None:
        found = self.known.get(uid)
        return found if found is not None and not found.has_exited else None

    async def launch(self, launch: Launch) -> FakeInstance:
        await asyncio.sleep(0)
        assert launch.uid not in self.host.alive, "one machine for each VMI"
        if self.host.launch_error is not None:
            raise self.host.launch_error
        made = FakeInstance(self.host, launch.identity, paused=launch.paused)
        self.host.launched.append(made)
        self.host.alive[launch.uid] = self.known[launch.uid] = made
        return made

    async def adopt(self, identity: Identity) -> FakeInstance | None:
        await asyncio.sleep(0)
        found = self.host.alive.get(identity.uid)
        if found is not None:
            self.known[identity.uid] = found
        return found

    def instances(self) -> list[FakeInstance]:
        return list(self.host.alive.values())

    async def close(self) -> None:
        self.host.on_event = None


class FakeVolumes(Volumes):
    host: FakeHost

    async def prepare(self, vmi: VirtualMachineInstance, context: Context) -> dict[str, VolumeBinding]:
        self._paths.instance(vmi.metadata.uid).mkdir(parents=True, exist_ok=True)
        if self.host.prepare_gate is not None:
            await self.host.prepare_gate.wait()
        if self.host.prepare_error is not None:
            raise self.host.prepare_error
        image = DiskImage(path="/disk.qcow2", format="qcow2")
        return {v.name: VolumeBinding(name=v.name, source=v.sources()[0], image=image) for v in vmi.spec.volumes}

    async def prepare_kernel(self, vmi: VirtualMachineInstance, context: Context) -> KernelBinding | None:
        return None


class FakeClaims:
    def __init__(self, host: FakeHost) -> None:
        self.host = host

    def disk(self, namespace: str, name: str) -> Path:
        return Path("/claims") / namespace / name

    def find(self, namespace: str, name: str) -> DiskImage | None:
        size = self.host.disks.get((namespace, name))
        return DiskImage(path=str(self.disk(namespace, name)), format="qcow2", size=size) if size else None

    async def create(self, namespace: str, name: str, size: int) -> DiskImage:
        self.host.disks.setdefault((namespace, name), size)
        return self._get(namespace, name)

    async def expand(self, namespace: str, name: str, size: int) -> DiskImage:
        self.host.disks[(namespace, name)] = size
        return self._get(namespace, name)

    async def delete(self, namespace: str, name: str) -> None:
        self.host.disks.pop((namespace, name), None)

    async def existing(self) -> list[tuple[str, str]]:
        return list(self.host.disks)

    async def sweep(self) -> None:
        return

    def _get(self, namespace: str, name: str) -> DiskImage:
        found = self.find(namespace, name)
        assert found is not None
        return found


class FakeImporter:
    def __init__(self, claims: FakeClaims, images: object = None) -> None:
        self.claims = claims

    async def run(
        self, namespace: str, name: str, spec: DataVolumeSpec, report: Callable[[float | None], None] | None = None
    ) -> DiskImage:
        host = self.claims.host
        host.imports += 1
        if host.import_gate is not None:
            assert report is not None
            report(0.25)
            await host.import_gate.wait()
        if host.import_error is not None:
            raise host.import_error
        return await self.claims.create(namespace, name, 1 << 20)


class Clock:
    """Time that only passes when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def text(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Lab:
    """``manager`` may be replaced by :meth:`restart`: the daemon was killed and started again."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = FakeHost()
        self.clock = Clock()
        # Socket paths have at most 107 bytes.
        self._runtime = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
        self.paths = Paths(root / "state", self._runtime)
        self.paths.state.mkdir(parents=True)
        monkeypatch.setattr(access, "is_root", lambda: False)
        monkeypatch.setattr(manager_module, "Hypervisor", lambda on_event: FakeHypervisor(self.host, on_event))
        monkeypatch.setattr(manager_module, "Volumes", self._volumes)
        monkeypatch.setattr(manager_module.claim_files, "Claims", lambda root: FakeClaims(self.host))
        monkeypatch.setattr(manager_module, "Importer", FakeImporter)
        self.threads = Threads()
        self.concerns: list[Concern] = []
        """What live updates consist of; the real ones would ask a fake machine for its devices."""
        monkeypatch.setattr(vmi_reconciler, "all_concerns", lambda launcher: self.concerns)
        self.objects = Objects.open(self.paths.database, clock=self.clock.text)
        self.manager = self._manager()

    def _volumes(self, *arguments: object) -> FakeVolumes:
        made = FakeVolumes(*arguments)  # type: ignore[arg-type]
        made.host = self.host
        return made

    def _manager(self) -> Manager:
        return Manager(self.paths, self.objects, facts.load("qemu-7.2"), environ={}, clock=self.clock)

    async def start(self) -> None:
        asyncio.get_running_loop().set_default_executor(self.threads)
        await self.manager.start()
        await self.settle()

    async def restart(self) -> None:
        """A new daemon, which knows only what is on disk and what lives."""
        await self.manager.stop()
        self.manager = self._manager()
        await self.start()

    async def close(self) -> None:
        await self.manager.stop()
        await self.objects.close()
        shutil.rmtree(self._runtime)

    async def settle(self) -> None:
        """Until nothing is due any more."""
        manager = self.manager
        queues = [
            manager._vms.queue,
            manager._vmis.queue,
            manager._data_volumes.queue,
            manager._claims.queue,
            manager._garbage.queue,
            manager._replica_sets.queue,
            manager._pools.queue,
        ]
        quiet = 0
        while quiet < 4:
            before = self.objects.revision
            for queue in queues:
                await queue.drain()
            await manager._site.events.flush()
            await self.threads.rest()
            await turns()
            await asyncio.sleep(0.003)
            busy = any(queue._ready or queue._active for queue in queues)
            busy = busy or bool(self.objects._ledger._pending)
            quiet = 0 if busy or self.objects.revision != before else quiet + 1

    async def pass_(self, seconds: float) -> None:
        """Time goes by, and every object is looked at again."""
        self.clock.pass_(seconds)
        for vm in self.objects.list(VMS).items:
            self.manager._vms.queue.add((vm.metadata.namespace, vm.metadata.name))
        for vmi in self.objects.list(VMIS).items:
            self.manager._vmis.queue.add((vmi.metadata.namespace, vmi.metadata.name))
        await self.settle()

    async def create(self, strategy: str = "Always", name: str = "vm") -> VirtualMachine:
        made = await self.objects.create(VMS, vm(strategy, name))
        await self.settle()
        return made

    def vm(self, name: str = "vm") -> VirtualMachine:
        return self.objects.get(VMS, "default", name)

    def vmi(self, name: str = "vm") -> VirtualMachineInstance:
        return self.objects.get(VMIS, "default", name)

    def find_vmi(self, name: str = "vm") -> VirtualMachineInstance | None:
        return self.objects.find(VMIS, "default", name)

    def claim(self, name: str) -> PersistentVolumeClaim:
        return self.objects.get(registry.PERSISTENT_VOLUME_CLAIMS, "default", name)

    def reasons(self, kind: str = "") -> list[str]:
        """Reasons of all events about one kind, oldest first."""
        events: list[Event] = self.objects.list(registry.EVENTS).items
        events.sort(key=lambda event: int(event.metadata.name.rpartition(".")[2], 16))
        return [event.reason for event in events if kind in ("", event.involved_object.kind)]

    def shown(self, name: str = "vm") -> str:
        return self.vm(name).status.printable_status


def spec() -> VirtualMachineInstanceSpec:
    return VirtualMachineInstanceSpec(
        domain=Domain(
            memory=Memory(guest="64Mi"),
            devices=Devices(interfaces=[Interface(name="default", masquerade=Binding())]),
        ),
        networks=[Network(name="default", pod=PodNetwork())],
    )


def vm(strategy: str = "Always", name: str = "vm") -> VirtualMachine:
    return VirtualMachine(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=VirtualMachineSpec(
            run_strategy=strategy,
            template=InstanceTemplate(metadata=ObjectMeta(labels={"app": name}), spec=spec()),
        ),
    )


def lone_vmi(name: str = "lone") -> VirtualMachineInstance:
    return VirtualMachineInstance(metadata=ObjectMeta(name=name, namespace="default"), spec=spec())


def refused(text: str = "QEMU exited with code 1") -> HostError:
    return HostError(text, reason="LaunchFailed")
