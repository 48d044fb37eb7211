"""What the server needs for programs, files and frozen file systems in guests, as protocols.

``controllers.guest_work.GuestWork`` has this shape. All raise NotFound, Conflict (no agent), BadRequest, GuestError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from solovirt.controllers.exec_sessions import ExecFrame, ExecSession
from solovirt.controllers.guest_files import Download
from solovirt.hypervisor.agent_exec import Signal
from solovirt.kit.json import JsonObject

__all__ = (
    "Download",
    "ExecFrame",
    "ExecSession",
    "GuestExecs",
    "GuestFiles",
    "GuestFreezer",
    "GuestWork",
    "StreamRequest",
)


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A program to run in the guest. ``env`` holds NAME=VALUE strings; ``timeout`` is in seconds, 0 for none."""

    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    timeout: float = 0.0
    detach: bool = False


class GuestExecs(Protocol):
    async def start(
        self, namespace: str, name: str, request: StreamRequest, stdin: AsyncIterator[bytes]
    ) -> ExecSession: ...

    async def attach(self, namespace: str, name: str, exec_id: str) -> ExecSession: ...

    async def list(self, namespace: str, name: str) -> list[JsonObject]: ...

    async def kill(self, namespace: str, name: str, exec_id: str, signal: Signal | None) -> None: ...


class GuestFiles(Protocol):
    async def put(
        self, namespace: str, name: str, path: str, chunks: AsyncIterator[bytes], *, mode: int | None = None
    ) -> JsonObject: ...

    def get(self, namespace: str, name: str, path: str) -> AbstractAsyncContextManager[Download]: ...


class GuestFreezer(Protocol):
    async def freeze(self, namespace: str, name: str, timeout: float) -> int: ...

    async def thaw(self, namespace: str, name: str) -> None: ...

    async def status(self, namespace: str, name: str) -> JsonObject: ...


class GuestWork(Protocol):
    @property
    def execs(self) -> GuestExecs: ...

    @property
    def files(self) -> GuestFiles: ...

    @property
    def freezer(self) -> GuestFreezer: ...
