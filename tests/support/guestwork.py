"""A stand-in for programs, files and frozen file systems in guests; see ``fakes.FakeOperations``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from solovirt.controllers.exec_sessions import ExecFrame
from solovirt.controllers.guest_files import Download
from solovirt.hypervisor.agent_copy import Look
from solovirt.hypervisor.agent_exec import Signal
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.server.guest_interfaces import ExecSession, StreamRequest

EXEC_ID = "0123456789abcdef"


class FakeSession:
    """Gives ``script`` frame by frame; an exception in it is raised, None waits for ever."""

    def __init__(self, script: list[ExecFrame | SolovirtError | None]) -> None:
        self.script = script
        self.id = EXEC_ID
        self.closed = asyncio.Event()
        self.lets_go = False

    async def frames(self) -> AsyncIterator[ExecFrame]:
        for frame in self.script:
            if frame is None:
                await asyncio.Event().wait()
            elif isinstance(frame, SolovirtError):
                raise frame
            else:
                yield frame

    def let_go(self) -> None:
        self.lets_go = True

    async def close(self) -> None:
        self.closed.set()


class FakeGuestWork:
    """``note`` records a call and raises what is to be raised. Serves as all of its parts."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.script: list[ExecFrame | SolovirtError | None] = [
            ExecFrame("stdout", b"out\n"),
            ExecFrame("stderr", b"\xff"),
            ExecFrame("exit", exit_code=3),
        ]
        self.sessions: list[FakeSession] = []
        self.stdin = b""
        self.request: StreamRequest | None = None
        self.items: list[JsonObject] = [{"id": EXEC_ID, "command": ["sleep", "9"], "state": "running"}]
        self.written: list[bytes] = []
        self.gate: asyncio.Event | None = None
        self.look = Look(6, 0o640, "0" * 64)
        self.content: list[bytes | SolovirtError] = [b"abc", b"def"]
        self.open_files = 0

    @property
    def execs(self) -> FakeGuestWork:
        return self

    @property
    def files(self) -> FakeGuestWork:
        return self

    @property
    def freezer(self) -> FakeGuestWork:
        return self

    async def start(
        self, namespace: str, name: str, request: StreamRequest, stdin: AsyncIterator[bytes]
    ) -> ExecSession:
        self._note("exec-stream", namespace, name)
        self.request = request
        self.stdin = b"".join([data async for data in stdin])
        self.sessions.append(FakeSession(self.script))
        return self.sessions[-1]

    async def attach(self, namespace: str, name: str, exec_id: str) -> ExecSession:
        self._note("exec-attach", namespace, name, id=exec_id)
        self.sessions.append(FakeSession(self.script))
        return self.sessions[-1]

    async def list(self, namespace: str, name: str) -> list[JsonObject]:
        self._note("exec-list", namespace, name)
        return self.items

    async def kill(self, namespace: str, name: str, exec_id: str, signal: Signal | None) -> None:
        self._note("exec-kill", namespace, name, id=exec_id, signal=signal)

    async def put(
        self, namespace: str, name: str, path: str, chunks: AsyncIterator[bytes], *, mode: int | None = None
    ) -> JsonObject:
        self._note("put-file", namespace, name, path=path, mode=mode)
        async for data in chunks:
            self.written.append(data)
        if self.gate is not None:
            await self.gate.wait()
        return {"path": path, "size": sum(map(len, self.written)), "sha256": "", "verified": "size"}

    @asynccontextmanager
    async def get(self, namespace: str, name: str, path: str) -> AsyncIterator[Download]:
        self._note("get-file", namespace, name, path=path)
        self.open_files += 1
        try:
            yield Download(self.look, self._chunks())
        finally:
            self.open_files -= 1

    async def _chunks(self) -> AsyncIterator[bytes]:
        for piece in self.content:
            if isinstance(piece, SolovirtError):
                raise piece
            yield piece

    async def freeze(self, namespace: str, name: str, timeout: float) -> int:
        self._note("freeze", namespace, name, timeout=timeout)
        return 2

    async def thaw(self, namespace: str, name: str) -> None:
        self._note("thaw", namespace, name)

    async def status(self, namespace: str, name: str) -> JsonObject:
        self._note("freeze-status", namespace, name)
        return {"status": "frozen", "until": "2026-01-02T03:04:05Z"}
