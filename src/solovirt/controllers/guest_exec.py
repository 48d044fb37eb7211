"""Programs in guests whose output is streamed: started, followed, left alone, found again, ended.

What runs is remembered in ``execs`` records before it is started, and lives in the guest by itself
(:mod:`solovirt.hypervisor.agent_exec`): a client or a daemon that goes leaves nothing that cannot be found again. Must
not know HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from solovirt.controllers.exec_sessions import ExecRecord, ExecRecords, ExecSession, FollowedSession, PlainSession
from solovirt.controllers.guest_handles import GuestHandles
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.hypervisor import agent_exec
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_exec import Signal
from solovirt.hypervisor.agent_files import WRITE_CHUNK, opened
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import BadRequest, Conflict, GuestError, NotFound
from solovirt.kit.json import Json, JsonObject

log = logging.getLogger(__name__)

KEPT = 64
"""Programs of one guest that are remembered at once."""
INLINE_INPUT = 1024 * 1024
"""Bytes of stdin that go along with the command; more of it goes through a file in the guest."""
LEAVING = 8.0
"""Seconds that what is still to be ended in guests may take when the daemon stops."""


class StreamRequest(Protocol):
    """``timeout`` 0: none. ``detach``: it goes on when nobody follows it."""

    @property
    def command(self) -> tuple[str, ...]: ...

    @property
    def env(self) -> tuple[str, ...]: ...

    @property
    def timeout(self) -> float: ...

    @property
    def detach(self) -> bool: ...


class GuestExecs:
    """All raise NotFound for an unknown VMI, Conflict where no agent is connected, GuestError for what it says."""

    def __init__(self, site: Site, targets: Targets) -> None:
        self._site = site
        self._targets = targets
        self._records = ExecRecords(site.objects.records)
        self._closing = TaskSet("guest exec")

    async def close(self) -> None:
        """Waits, not for ever, until what is to be ended or closed in guests is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await self._closing.wait()
        await self._closing.close()

    async def start(
        self, namespace: str, name: str, request: StreamRequest, stdin: AsyncIterator[bytes]
    ) -> ExecSession:
        """Start a program with all of ``stdin``; what it writes is in the session.

        A guest without /bin/sh runs it the plain way: output at its end, and no way to end it. Raises BadRequest when
        more is asked of such a guest.
        """
        if not request.command:
            raise BadRequest("command: at least one word is required", field="command")
        instance = self._targets.with_agent(namespace, name)
        if len(self._records.of(instance.uid)) >= KEPT:
            hint = f"solovirt guest exec {name} --ls; --attach ID or --kill ID forgets one"
            raise Conflict(f"{KEPT} programs of this guest are remembered already", hint=hint)
        head, more = await _beginning(stdin)
        meta = self._targets.vmi(namespace, name).metadata
        record = ExecRecord(
            id=agent_exec.new_id(),
            namespace=meta.namespace,
            name=meta.name,
            command=request.command,
            started=self._site.now(),
            detached=request.detach,
        )
        await self._records.put(instance.uid, record)
        try:
            pid = await self._launch(instance, record, request, head, stdin if more else None)
        except GuestError as error:
            if error.reason != "AgentTimeout":  # then it may have been started all the same, and is to be found
                await self._records.drop(instance.uid, record.id)
            if not agent_exec.has_no_shell(error):
                raise
            return _plain(instance, request, head, more=more)
        except BaseException:
            # It may have been started at this very moment.
            self._closing.spawn(self._end(instance, record), f"exec {record.id}")
            raise
        record = msgspec.structs.replace(record, pid=pid)
        await self._records.put(instance.uid, record)
        return self._session(instance, record, timeout=request.timeout, owned=not request.detach)

    async def attach(self, namespace: str, name: str, exec_id: str) -> ExecSession:
        """All output of a program from its beginning, and what follows. Whoever attaches may leave again."""
        instance, record = self._found(namespace, name, exec_id)
        (state,) = await agent_exec.states(instance.agent, [agent_exec.folder(exec_id)])
        if state == "gone":
            await self._records.drop(instance.uid, exec_id)
            raise NotFound(f"the guest has nothing of {exec_id} any more: it was started anew")
        return self._session(instance, record, timeout=0.0, owned=False)

    async def list(self, namespace: str, name: str) -> list[JsonObject]:
        """What is remembered: id, command, started, and state: running, exited, lost (killed from inside), unknown."""
        vmi = self._targets.vmi(namespace, name)
        uid = vmi.metadata.uid
        records = self._records.of(uid)
        found = ["unknown"] * len(records)
        with contextlib.suppress(Conflict, GuestError):
            agent = self._targets.with_agent(namespace, name).agent
            found = await agent_exec.states(agent, [agent_exec.folder(record.id) for record in records])
        items: list[JsonObject] = []
        for record, state in zip(records, found, strict=True):
            if state == "gone":
                await self._records.drop(uid, record.id)
            else:
                items.append(_shown(record, state))
        return items

    async def kill(self, namespace: str, name: str, exec_id: str, signal: Signal | None) -> None:
        """Send a signal; None: end it (TERM, then KILL) and forget it, with what it wrote."""
        instance, record = self._found(namespace, name, exec_id)
        if signal is None:
            await self._end(instance, record)
        elif not await agent_exec.signal(instance.agent, agent_exec.folder(exec_id), signal):
            raise Conflict(f"{exec_id} does not run any more")

    async def _launch(
        self,
        instance: Instance,
        record: ExecRecord,
        request: StreamRequest,
        head: bytes,
        rest: AsyncIterator[bytes] | None,
    ) -> int:
        agent, folder = instance.agent, agent_exec.folder(record.id)
        if rest is not None:
            await agent_exec.prepare(agent, folder)
            handles = GuestHandles(self._site.objects.records, instance.uid)
            async with opened(agent, f"{folder}/{agent_exec.INPUT}", "w", handles, self._closing) as file:
                for start in range(0, len(head), WRITE_CHUNK):
                    await file.write(head[start : start + WRITE_CHUNK])
                async for data in rest:
                    for start in range(0, len(data), WRITE_CHUNK):
                        await file.write(data[start : start + WRITE_CHUNK])
                await file.flush()
        return await agent_exec.start(
            agent,
            folder,
            request.command,
            env=request.env,
            input_data=head if head and rest is None else None,
            prepared=rest is not None,
            timeout=min(agent_exec.START_PATIENCE, request.timeout or agent_exec.START_PATIENCE),
        )

    def _session(self, instance: Instance, record: ExecRecord, *, timeout: float, owned: bool) -> ExecSession:
        handles = GuestHandles(self._site.objects.records, instance.uid)

        async def over() -> None:
            await _forget(instance.agent, record)
            await self._records.drop(instance.uid, record.id)

        async def end() -> None:
            await self._end(instance, record)

        return FollowedSession(
            instance.agent,
            record,
            handles,
            self._closing,
            timeout=timeout,
            over=over,
            end=end if owned else None,
        )

    async def _end(self, instance: Instance, record: ExecRecord) -> None:
        """TERM, after two seconds KILL; then nothing of it is left."""
        folder = agent_exec.folder(record.id)
        try:
            await agent_exec.terminate(instance.agent, folder)
            await agent_exec.remove(instance.agent, [folder])
        except GuestError as error:
            # Kept in the list, so that somebody can try again.
            log.info("instance %s: exec %s is not ended: %s", instance.uid, record.id, error)
            return
        await self._records.drop(instance.uid, record.id)

    def _found(self, namespace: str, name: str, exec_id: str) -> tuple[Instance, ExecRecord]:
        uid = self._targets.vmi(namespace, name).metadata.uid
        record = self._records.get(uid, exec_id)
        if record is None:
            raise NotFound(f"no program {exec_id!r} is known in {name}", hint=f"solovirt guest exec {name} --ls")
        return self._targets.with_agent(namespace, name), record


async def _forget(agent: GuestAgent, record: ExecRecord) -> None:
    with contextlib.suppress(GuestError):
        await agent_exec.remove(agent, [agent_exec.folder(record.id)])


async def _beginning(stdin: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """As much of stdin as goes along with the command, and whether there is more."""
    head = bytearray()
    async for data in stdin:
        head += data
        if len(head) > INLINE_INPUT:
            return bytes(head), True
    return bytes(head), False


def _plain(instance: Instance, request: StreamRequest, head: bytes, *, more: bool) -> ExecSession:
    if request.detach:
        raise BadRequest("this guest has no /bin/sh: a program in it cannot be left alone and found again")
    if more:
        raise BadRequest(f"this guest has no /bin/sh: a program in it gets at most {INLINE_INPUT} bytes of stdin")
    return PlainSession(instance.agent, request.command, request.env, head, request.timeout)


def _shown(record: ExecRecord, state: str) -> JsonObject:
    command: list[Json] = list(record.command)
    shown: JsonObject = {
        "id": record.id,
        "command": command,
        "startedAt": record.started,
        "detached": record.detached,
        "state": "exited" if state.isdigit() else state,
    }
    if state.isdigit():
        shown["exitCode"] = int(state)
    return shown
