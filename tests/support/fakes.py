"""Stand-ins for what the server drives: operations that record their calls, a console that echoes, images in a dict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from solovirt.api.kubevirt.volume_requests import AddVolumeOptions, MediumOptions, RemoveVolumeOptions
from solovirt.controllers.figures import Host, MachineFigures
from solovirt.controllers.tallies import Tallies
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import NotFound, SolovirtError
from solovirt.kit.json import Json, JsonObject
from solovirt.server.interfaces import ExecRequest, ImportRequest, LogSource, PullRequest
from tests.support.guestwork import FakeGuestWork
from tests.support.machinework import FakeMachine, FakeMemoryDumps

Call = tuple[str, str, str, dict[str, object]]


class EchoConsole:
    """Gives back what is written, in upper case. ``end`` is the guest's end of it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False
        self.output: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return await self.output.get()

    async def write(self, data: bytes) -> None:
        self.written.append(data)
        self.output.put_nowait(data.upper())

    async def close(self) -> None:
        self.closed = True

    def end(self) -> None:
        self.output.put_nowait(b"")


class FakeFigures:
    """``found`` is what is measured; ``waiting`` are the queues."""

    def __init__(self) -> None:
        self.tallies = Tallies(clock=lambda: 1000.0)
        self.found: list[MachineFigures] = []
        self.waiting = {"vm": 0, "vmi": 2}

    def host(self) -> Host:
        return Host("node", 4, 8 << 30, "tcg")

    def queues(self) -> dict[str, int]:
        return self.waiting

    async def measure(self, namespace: str = "", name: str = "") -> list[MachineFigures]:
        return [one for one in self.found if namespace in ("", one.namespace) and name in ("", one.name)]


class FakeVolumeOperations:
    """Volumes; what was asked is noted like all else."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    async def add(
        self, namespace: str, name: str, options: AddVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        self._note("addvolume", namespace, name, options=options, vmi=vmi, dry_run=dry_run)

    async def remove(
        self, namespace: str, name: str, options: RemoveVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        self._note("removevolume", namespace, name, options=options, vmi=vmi, dry_run=dry_run)

    async def change_medium(
        self, namespace: str, name: str, options: MediumOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        self._note("medium", namespace, name, options=options, vmi=vmi, dry_run=dry_run)


class FakeOperations:
    """``calls`` is what was asked; ``failure`` is raised by everything while it is set."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.failure: Exception | None = None
        self.consoles: list[EchoConsole] = []
        self.log = Path("/nonexistent")
        self.result = ExecResult(exit_code=3, signal=None, stdout=b"out\n", stderr=b"\xff", stdout_truncated=True)
        self.exec_request: ExecRequest | None = None
        self.work = FakeGuestWork(self._note)
        self.measured = FakeFigures()
        self.memory = FakeMemoryDumps(self._note)
        self.machine_itself = FakeMachine(self._note)

    @property
    def guest(self) -> FakeOperations:
        return self

    @property
    def guest_power(self) -> FakeOperations:
        return self

    @property
    def machine(self) -> FakeMachine:
        return self.machine_itself

    @property
    def dumps(self) -> FakeMemoryDumps:
        return self.memory

    @property
    def volumes(self) -> FakeVolumeOperations:
        return FakeVolumeOperations(self._note)

    @property
    def sizes(self) -> FakeOperations:
        return self

    async def read(self, namespace: str, name: str) -> JsonObject:
        self._note("resources", namespace, name)
        cpu: JsonObject = {"sockets": 2, "requested": 2, "plugged": 2, "most": 4, "guest": 1}
        return {"cpu": cpu, "memory": {"atBoot": 1 << 28, "requested": 1 << 29, "plugged": 1 << 29, "guest": None}}

    @property
    def figures(self) -> FakeFigures:
        return self.measured

    @property
    def guest_work(self) -> FakeGuestWork:
        return self.work

    def _note(self, verb: str, namespace: str, name: str, **options: object) -> None:
        self.calls.append((verb, namespace, name, options))
        if self.failure is not None:
            raise self.failure

    async def start(self, namespace: str, name: str, *, paused: bool = False, dry_run: bool = False) -> None:
        self._note("start", namespace, name, paused=paused, dry_run=dry_run)

    async def stop(self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False) -> None:
        self._note("stop", namespace, name, grace_period=grace_period, dry_run=dry_run)

    async def restart(
        self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False
    ) -> None:
        self._note("restart", namespace, name, grace_period=grace_period, dry_run=dry_run)

    async def suspend(self, namespace: str, name: str, mode: str, *, timeout: float) -> None:
        self._note("suspend", namespace, name, mode=mode, timeout=timeout)

    async def wakeup(self, namespace: str, name: str) -> None:
        self._note("wakeup", namespace, name)

    async def guest_os_info(self, namespace: str, name: str) -> JsonObject:
        self._note("guestosinfo", namespace, name)
        return {"hostname": "guest"}

    async def user_list(self, namespace: str, name: str) -> JsonObject:
        self._note("userlist", namespace, name)
        return {"items": []}

    async def filesystem_list(self, namespace: str, name: str) -> JsonObject:
        self._note("filesystemlist", namespace, name)
        return {"items": []}

    async def open_console(self, namespace: str, name: str) -> EchoConsole:
        self._note("console", namespace, name)
        for older in self.consoles:
            older.end()
        self.consoles.append(EchoConsole())
        return self.consoles[-1]

    async def agent_command(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, timeout: float
    ) -> Json:
        self._note("agent", namespace, name, command=command, arguments=arguments, timeout=timeout)
        return {"pong": True}

    async def guest_exec(self, namespace: str, name: str, request: ExecRequest) -> ExecResult:
        self._note("exec", namespace, name)
        self.exec_request = request
        return self.result

    async def explain(self, namespace: str, name: str) -> JsonObject:
        self._note("explain", namespace, name)
        return {"rows": []}

    async def logs(self, namespace: str, name: str, which: LogSource) -> Path:
        self._note("logs", namespace, name, which=which)
        return self.log


class FakeImages:
    """Pulls take until ``gate`` is set; ``failure`` ends them."""

    def __init__(self) -> None:
        self.known: dict[str, JsonObject] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.cancelled = 0
        self.pulls: list[PullRequest] = []
        self.imports: list[ImportRequest] = []

    async def list(self) -> list[JsonObject]:
        return list(self.known.values())

    async def pull(self, request: PullRequest, progress: Callable[[JsonObject], None]) -> JsonObject:
        self.pulls.append(request)
        progress({"message": "pulling", "done": 1, "total": 2})
        return await self._finish(request.reference)

    async def add(self, request: ImportRequest, progress: Callable[[JsonObject], None]) -> JsonObject:
        self.imports.append(request)
        progress({"message": "importing", "done": 0, "total": 0})
        return await self._finish(request.reference)

    async def _finish(self, reference: str) -> JsonObject:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        self.known[reference] = {"reference": reference, "digest": "sha256:00", "size": 5, "files": ["/disk/a"]}
        return self.known[reference]

    async def remove(self, reference: str) -> None:
        if self.known.pop(reference, None) is None:
            raise NotFound(f"image {reference} is not here")


def failing(error: SolovirtError) -> FakeOperations:
    made = FakeOperations()
    made.failure = error
    return made
