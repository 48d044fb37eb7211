"""Following one program in a guest: what it writes, piece by piece, and how it ended.

A program that runs by our script is read from its files in the guest (``FollowedSession``); one in a guest without a
shell gives everything at its end (``PlainSession``). Must not know who started it, nor HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from solovirt.controllers.vmi.records import EXECS
from solovirt.hypervisor import agent_exec
from solovirt.hypervisor.agent import NO_ANSWER, GuestAgent
from solovirt.hypervisor.agent_files import GuestFile, Handles, is_frozen, opened
from solovirt.kit import json
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError
from solovirt.store.records import Records

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.005
LAST_PAUSE = 0.15
"""Seconds between two looks at a program that writes nothing: more and more, up to this."""
READS = 4
"""Pieces of one stream before it is the other's turn."""
PLAIN_TIMEOUT = 86400.0


@dataclass(frozen=True, slots=True)
class ExecFrame:
    """A piece of output, or the end: ``exit_code`` as a shell tells it, 128 + N for signal N; 124 with ``timed_out``.

    ``cut``: the agent did not keep all of this stream.
    """

    kind: Literal["stdout", "stderr", "exit"]
    data: bytes = b""
    exit_code: int = 0
    timed_out: bool = False
    cut: bool = False


class ExecSession(Protocol):
    """``id`` is "" for a program that cannot be found again. ``close`` must be called; it ends a program that is
    neither over nor ``let_go`` if the session owns it, in the background.
    """

    @property
    def id(self) -> str: ...

    def frames(self) -> AsyncIterator[ExecFrame]: ...

    def let_go(self) -> None: ...

    async def close(self) -> None: ...


class ExecRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``pid`` is the agent's number for it, 0 as long as it is not known to have been started."""

    id: str
    namespace: str
    name: str
    command: tuple[str, ...]
    started: str
    pid: int = 0
    detached: bool = False


class ExecRecords:
    """By the VMI's uid and the program's id. A record that does not decode counts as none."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def get(self, uid: str, exec_id: str) -> ExecRecord | None:
        data = self._records.get(EXECS, f"{uid}/{exec_id}")
        try:
            return msgspec.json.decode(data, type=ExecRecord) if data is not None else None
        except msgspec.DecodeError:
            return None

    def of(self, uid: str) -> list[ExecRecord]:
        """The oldest first."""
        ids = (key.partition("/")[2] for key in self._records.list(EXECS) if key.startswith(f"{uid}/"))
        found = (self.get(uid, exec_id) for exec_id in ids)
        return sorted((record for record in found if record is not None), key=lambda one: (one.started, one.id))

    async def put(self, uid: str, record: ExecRecord) -> None:
        await self._records.put(EXECS, f"{uid}/{record.id}", json.encode(record))

    async def drop(self, uid: str, exec_id: str) -> None:
        await self._records.delete(EXECS, f"{uid}/{exec_id}")


class FollowedSession:
    """``over`` forgets a program whose end was told; ``end`` ends one that nobody follows any more, None: it goes
    on.
    """

    def __init__(
        self,
        agent: GuestAgent,
        record: ExecRecord,
        handles: Handles,
        closing: TaskSet,
        *,
        timeout: float,
        over: Callable[[], Awaitable[None]],
        end: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._agent = agent
        self._record = record
        self._folder = agent_exec.folder(record.id)
        self._handles = handles
        self._closing = closing
        self._timeout = timeout
        self._over = over
        self._end = end
        self._files = contextlib.AsyncExitStack()
        self._code: int | None = None
        self._told = False

    @property
    def id(self) -> str:
        return self._record.id

    def let_go(self) -> None:
        """It shall go on when this session is closed."""
        self._end = None

    async def close(self) -> None:
        await self._files.aclose()
        if self._told:
            self._closing.spawn(_done(self._over), f"exec {self.id}")
        elif self._end is not None:
            self._closing.spawn(_done(self._end), f"exec {self.id}")

    async def frames(self) -> AsyncIterator[ExecFrame]:
        """Output as it comes, then the exit. A mute agent (a paused guest) is waited for; one that is gone raises
        ``GuestError``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout if self._timeout else None
        timed_out = False
        streams = await self._open()
        pause = FIRST_PAUSE
        while True:
            code = await self._ended()
            quiet = True
            for kind, file in streams:
                async for data in self._pieces(file, last=code is not None):
                    quiet = False
                    yield ExecFrame(kind, data)
            if code is not None:
                # The consumer has all of it once it asks for more; then it may be forgotten.
                yield ExecFrame("exit", exit_code=124 if timed_out else code, timed_out=timed_out)
                self._told = True
                return
            if deadline is not None and not timed_out and loop.time() >= deadline:
                timed_out = True
                self._closing.spawn(self._terminate(), f"exec {self.id} out of time")
            pause = FIRST_PAUSE if not quiet else min(pause * 1.5, LAST_PAUSE)
            left = deadline - loop.time() if deadline is not None and not timed_out else pause
            await asyncio.sleep(min(pause, max(left, 0.0)))

    async def _open(self) -> list[tuple[Literal["stdout", "stderr"], GuestFile]]:
        """Both files. The script in the guest makes them in its first moments."""
        streams: list[tuple[Literal["stdout", "stderr"], GuestFile]] = []
        names: tuple[tuple[Literal["stdout", "stderr"], str], ...] = (
            ("stdout", agent_exec.OUT),
            ("stderr", agent_exec.ERR),
        )
        for kind, name in names:
            pause = FIRST_PAUSE
            while True:
                try:
                    way = opened(self._agent, f"{self._folder}/{name}", "r", self._handles, self._closing)
                    streams.append((kind, await self._files.enter_async_context(way)))
                    break
                except GuestError as error:
                    if not is_frozen(error) and (error.reason != "CommandFailed" or self._code is not None):
                        raise
                # One that has ended by now has made them, or will not.
                await self._ended()
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LAST_PAUSE)
        return streams

    async def _pieces(self, file: GuestFile, *, last: bool) -> AsyncIterator[bytes]:
        """What is there now; all of it when the program has ended."""
        count = 0
        while last or count < READS:
            count += 1
            try:
                data = await file.read()
            except GuestError as error:
                if error.reason not in NO_ANSWER:
                    raise
                if not last:
                    return
                # The agent of a guest that sleeps is refused at once, without a wait.
                await asyncio.sleep(LAST_PAUSE)
                continue
            if data:
                yield data
            if not data or file.at_end:
                return

    async def _ended(self) -> int | None:
        """The exit status; None while it runs, or while the agent says nothing."""
        if self._code is None:
            self._code = await self._ask()
        return self._code

    async def _ask(self) -> int | None:
        try:
            if self._record.pid:
                return await agent_exec.ended(self._agent, self._record.pid)
        except GuestError as error:
            if error.reason in NO_ANSWER or is_frozen(error):
                return None
            if error.reason != "CommandFailed":
                raise
        return await self._remembered()

    async def _remembered(self) -> int | None:
        """What the guest's directory says: for an agent that was started anew, or has told the end to somebody else."""
        try:
            (state,) = await agent_exec.states(self._agent, [self._folder])
        except GuestError as error:
            if error.reason in NO_ANSWER or is_frozen(error):
                return None
            raise
        if state.isdigit():
            return int(state)
        if state == "running":
            return None
        raise GuestError(f"the guest lost {self.id}: it was killed from inside, or began anew", reason="ExecLost")

    async def _terminate(self) -> None:
        with contextlib.suppress(GuestError):
            await agent_exec.terminate(self._agent, self._folder)


class PlainSession:
    """A program in a guest without a shell: nothing until its end, and no way to end it."""

    def __init__(
        self, agent: GuestAgent, command: tuple[str, ...], env: tuple[str, ...], stdin: bytes, timeout: float
    ) -> None:
        self._agent = agent
        self._command = command
        self._env = env
        self._stdin = stdin
        self._timeout = timeout or PLAIN_TIMEOUT

    @property
    def id(self) -> str:
        return ""

    def let_go(self) -> None:
        """It goes on anyway."""

    async def close(self) -> None:
        """Nothing of it is ours."""

    async def frames(self) -> AsyncIterator[ExecFrame]:
        result = await self._agent.execute(
            self._command[0],
            self._command[1:],
            env=self._env,
            input_data=self._stdin or None,
            timeout=self._timeout,
        )
        yield ExecFrame("stdout", result.stdout, cut=result.stdout_truncated)
        yield ExecFrame("stderr", result.stderr, cut=result.stderr_truncated)
        code = 128 + result.signal if result.signal is not None else result.exit_code or 0
        yield ExecFrame("exit", exit_code=code)


async def _done(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except GuestError as error:
        log.info("%s", error)
