"""What the server needs of the rooms below it, as protocols: tests and the daemon plug in here.

``controllers.operations.Operations`` and the adapter around the image store have these shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from solovirt.api.kubevirt.volume_requests import AddVolumeOptions, MediumOptions, RemoveVolumeOptions
from solovirt.controllers.figures import Host, MachineFigures
from solovirt.controllers.tallies import Tallies
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.json import Json, JsonObject
from solovirt.server.guest_interfaces import GuestWork
from solovirt.server.machine_interfaces import MachineOperations, MemoryDumps

LogSource = Literal["qemu", "serial"]


class ConsoleSession(Protocol):
    """The serial console of one running machine. ``read`` gives b"" at its end; a newer session ends this one."""

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A program to run in the guest. ``env`` holds NAME=VALUE strings; ``timeout`` is in seconds."""

    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    input: bytes = b""
    timeout: float = 60.0


class GuestOperations(Protocol):
    """What the guest agent is asked for. All raise NotFound, Conflict (no agent), GuestError."""

    async def guest_os_info(self, namespace: str, name: str) -> JsonObject: ...

    async def user_list(self, namespace: str, name: str) -> JsonObject: ...

    async def filesystem_list(self, namespace: str, name: str) -> JsonObject: ...

    async def agent_command(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, timeout: float
    ) -> Json: ...

    async def guest_exec(self, namespace: str, name: str, request: ExecRequest) -> ExecResult: ...


class GuestPower(Protocol):
    """Guests that suspend themselves. All raise NotFound, Conflict (the wrong state), GuestError, TimedOut."""

    async def suspend(
        self, namespace: str, name: str, mode: Literal["ram", "disk", "hybrid"], *, timeout: float
    ) -> None: ...

    async def wakeup(self, namespace: str, name: str) -> None: ...


class Figures(Protocol):
    """What machines and controllers are doing, in numbers."""

    @property
    def tallies(self) -> Tallies: ...

    def host(self) -> Host: ...

    def queues(self) -> Mapping[str, int]: ...

    async def measure(self, namespace: str = "", name: str = "") -> Sequence[MachineFigures]: ...


class VolumeOperations(Protocol):
    """Volumes and media that come and go. ``vmi``: of a lone VMI. All raise NotFound, Conflict, BadRequest, Invalid."""

    async def add(
        self, namespace: str, name: str, options: AddVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None: ...

    async def remove(
        self, namespace: str, name: str, options: RemoveVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None: ...

    async def change_medium(
        self, namespace: str, name: str, options: MediumOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None: ...


class Sizes(Protocol):
    """CPU and memory as wanted, plugged and seen by the guest. Raises NotFound, Conflict (it does not run)."""

    async def read(self, namespace: str, name: str) -> JsonObject: ...


class Operations(Protocol):
    """Imperative operations on VMs and VMIs. All raise NotFound, Conflict, BadRequest, GuestError as KubeVirt does."""

    @property
    def guest(self) -> GuestOperations: ...

    @property
    def guest_power(self) -> GuestPower: ...

    @property
    def machine(self) -> MachineOperations: ...

    @property
    def dumps(self) -> MemoryDumps: ...

    @property
    def volumes(self) -> VolumeOperations: ...

    @property
    def guest_work(self) -> GuestWork: ...

    @property
    def sizes(self) -> Sizes: ...

    @property
    def figures(self) -> Figures: ...

    async def start(self, namespace: str, name: str, *, paused: bool = False, dry_run: bool = False) -> None: ...

    async def stop(
        self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False
    ) -> None: ...

    async def restart(
        self, namespace: str, name: str, *, grace_period: int | None = None, dry_run: bool = False
    ) -> None: ...

    async def open_console(self, namespace: str, name: str) -> ConsoleSession: ...

    async def explain(self, namespace: str, name: str) -> JsonObject: ...

    async def logs(self, namespace: str, name: str, which: LogSource) -> Path: ...


class PullRequest(NamedTuple):
    """``policy`` is a KubeVirt imagePullPolicy: Always, IfNotPresent, Never or "" for the default of the reference."""

    reference: str
    policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    username: str = ""
    password: str = ""


class ImportRequest(NamedTuple):
    """``files``: path inside the image -> absolute path of a file on this host."""

    reference: str
    files: Mapping[str, str]


class Images(Protocol):
    """The image cache as the API shows it: objects with ``reference``, ``digest``, ``size`` (bytes) and ``files``.

    ``progress`` takes ``{"message", "done", "total"}`` (bytes) and is called on the event loop.
    """

    async def list(self) -> Sequence[JsonObject]: ...

    async def pull(self, request: PullRequest, progress: Callable[[JsonObject], None]) -> JsonObject: ...

    async def add(self, request: ImportRequest, progress: Callable[[JsonObject], None]) -> JsonObject: ...

    async def remove(self, reference: str) -> None: ...
