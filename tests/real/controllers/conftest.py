"""A manager with real everything, in a short-lived place; afterwards nothing may be left of any machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from solovirt.api import decode, registry
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import find_condition
from solovirt.controllers.manager import Manager
from solovirt.host import facts
from solovirt.host.tiny.build import image_files
from solovirt.hypervisor import lock
from solovirt.kit import yaml
from solovirt.kit.paths import Paths
from solovirt.store.objects import Objects
from tests.support import tinyguest

HELLO = Path(__file__).resolve().parents[3] / "examples/hello.yaml"
VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES
PATIENCE = 90.0


class Home:
    """One daemon's state, and the manager that works on it now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Paths(root / "state", root / "run")
        for path in (root, self.paths.state, self.paths.runtime):
            path.mkdir(exist_ok=True)
            path.chmod(0o711)
        self.environ = {**os.environ, "SOLOVIRT_ACCEL": "tcg"}
        self.objects = Objects.open(self.paths.database)
        self.manager: Manager

    async def start(self) -> None:
        found = await facts.probe(self.paths, environ=self.environ)
        self.manager = Manager(self.paths, self.objects, found, environ=self.environ)
        await self.manager.start()

    async def restart(self) -> None:
        """What a new daemon does after the old one let go."""
        await self.manager.stop()
        await self.objects.close()
        self.objects = Objects.open(self.paths.database)
        await self.start()

    async def close(self) -> None:
        await self.manager.stop()
        await self.objects.close()

    async def hello(self, strategy: str = "Always") -> VirtualMachine:
        """Applies examples/hello.yaml."""
        value = yaml.load_all(HELLO.read_bytes(), source=str(HELLO))[0].value
        vm = decode.decode(VMS, value).object
        vm.metadata.namespace = "default"
        vm.spec.run_strategy = strategy
        return await self.objects.create(VMS, vm)

    def vm(self) -> VirtualMachine:
        return self.objects.get(VMS, "default", "hello")

    def vmi(self) -> VirtualMachineInstance:
        return self.objects.get(VMIS, "default", "hello")

    def find_vmi(self) -> VirtualMachineInstance | None:
        return self.objects.find(VMIS, "default", "hello")

    def phase(self) -> str:
        found = self.find_vmi()
        return found.status.phase if found is not None else "gone"

    def shown(self) -> str:
        return self.vm().status.printable_status

    def has(self, condition: str) -> bool:
        vmi = self.find_vmi()
        found = find_condition(vmi.status.conditions, condition) if vmi is not None else None
        return found is not None and found.status == "True"

    async def until(self, what: Callable[[], bool], text: str = "") -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            events = [
                f"{e.involved_object.kind} {e.reason}: {e.message}" for e in self.objects.list(registry.EVENTS).items
            ]
            assert time.monotonic() < deadline, f"not in time: {text}; {events}"
            await asyncio.sleep(0.03)

    async def agent(self) -> None:
        await self.until(lambda: self.has("AgentConnected"), "agent connected")

    def pid(self) -> int:
        instance = self.manager._vmis.machines.known(self.vmi().metadata.uid)
        assert instance is not None
        return instance.pid

    def holders(self) -> list[int]:
        return [pid for file in self.root.rglob(lock.NAME) for pid in lock.holders(file)]


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    made = Home(root)
    try:
        await made.start()
        await made.manager.images.import_file("solovirt/tiny", image_files(tinyguest.image()))
        yield made
    finally:
        await made.close()
        left = made.holders()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(root)
