"""Copying files into guests and out of them, through the agent, piece by piece: any size, checked, whole or not at all.

A file in the guest is written beside its place and renamed into it. Where the guest has no shell (Windows) it is
written in place, and only its size is compared: the result says so. Between two pieces it is everybody else's turn with
the agent. Must not know HTTP, nor files of this host.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import posixpath
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from solovirt.controllers.guest_handles import GuestHandles
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.hypervisor import agent_copy, agent_exec
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_copy import Look
from solovirt.hypervisor.agent_files import FROZEN_PAUSE, READ_CHUNK, WRITE_CHUNK, GuestFile, is_frozen, opened
from solovirt.hypervisor.instance import Instance
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import BadRequest, GuestError
from solovirt.kit.json import JsonObject

log = logging.getLogger(__name__)

PATH_LIMIT = 4096
DEFAULT_MODE = 0o644
LEAVING = 8.0
"""Seconds that what is still to be closed and removed in guests may take when the daemon stops."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is being read. ``look.size`` 0 may be more (files of /proc); ``chunks`` give all of it."""

    look: Look
    chunks: AsyncIterator[bytes]


class GuestFiles:
    """All raise NotFound for an unknown VMI, Conflict where no agent is connected, GuestError for what it says."""

    def __init__(self, site: Site, targets: Targets) -> None:
        self._site = site
        self._targets = targets
        self._closing = TaskSet("guest files")

    async def close(self) -> None:
        """Waits, not for ever, until files that were open in guests are closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await self._closing.wait()
        await self._closing.close()

    async def put(
        self, namespace: str, name: str, path: str, chunks: AsyncIterator[bytes], *, mode: int | None = None
    ) -> JsonObject:
        """Write a file; ``size``, ``sha256``, and ``verified``: "sha256", or "size" where the guest has no sha256sum.

        ``mode`` None is 0644. Raises NotFound (its directory), BadRequest (a directory is there), GuestError. What
        fails or is cancelled leaves what was there before.
        """
        _check_path(path)
        instance = self._targets.with_agent(namespace, name)
        partial = f"{_folder(path)}.{secrets.token_hex(8)}.partial"
        try:
            await agent_copy.begin(instance.agent, path, partial)
        except GuestError as error:
            if not agent_exec.has_no_shell(error):
                raise
            return await self._put_plainly(instance, path, chunks)
        except asyncio.CancelledError:
            self._discard(instance.agent, partial)
            raise
        done = False
        try:
            size, sha256 = await self._fill(instance, partial, chunks, partial)
            exact = await agent_copy.finish(
                instance.agent, path, partial, sha256=sha256, size=size, mode=DEFAULT_MODE if mode is None else mode
            )
            done = True
        finally:
            if not done:
                self._discard(instance.agent, partial)
        return {"path": path, "size": size, "sha256": sha256, "verified": "sha256" if exact else "size"}

    @asynccontextmanager
    async def get(self, namespace: str, name: str, path: str) -> AsyncIterator[Download]:
        """A file that is open in this block. Raises NotFound, BadRequest for what is no regular file, GuestError."""
        _check_path(path)
        instance = self._targets.with_agent(namespace, name)
        try:
            look: Look | None = await agent_copy.look(instance.agent, path)
        except GuestError as error:
            if not agent_exec.has_no_shell(error):
                raise
            look = None
        async with AsyncExitStack() as stack:
            file = await stack.enter_async_context(self._opened(instance, path, "r"))
            if look is None:
                look = Look(await file.size())
            yield Download(look, _read(file, look))

    async def _put_plainly(self, instance: Instance, path: str, chunks: AsyncIterator[bytes]) -> JsonObject:
        size, sha256 = await self._fill(instance, path, chunks, "")
        async with self._opened(instance, path, "r") as file:
            if await file.size() != size:
                raise GuestError(f"{path}: what arrived in the guest is not what was sent", reason="ChecksumMismatch")
        return {"path": path, "size": size, "sha256": sha256, "verified": "size", "inPlace": True}

    async def _fill(self, instance: Instance, path: str, chunks: AsyncIterator[bytes], partial: str) -> tuple[int, str]:
        """Write everything; size and SHA-256."""
        digest, size = hashlib.sha256(), 0
        async with self._opened(instance, path, "w", partial) as file:
            async for data in _sized(chunks):
                digest.update(data)
                size += len(data)
                await file.write(data)
            await file.flush()
        return size, digest.hexdigest()

    def _opened(
        self, instance: Instance, path: str, mode: str, partial: str = ""
    ) -> contextlib.AbstractAsyncContextManager[GuestFile]:
        handles = GuestHandles(self._site.objects.records, instance.uid, partial)
        return opened(instance.agent, path, mode, handles, self._closing)

    def _discard(self, agent: GuestAgent, partial: str) -> None:
        self._closing.spawn(_removed(agent, partial), f"remove {partial}")


async def _removed(agent: GuestAgent, partial: str) -> None:
    """Once the guest is not frozen."""
    while True:
        try:
            await agent_copy.discard(agent, partial)
            return
        except GuestError as error:
            if not is_frozen(error):
                log.info("%s is left in a guest: %s", partial, error)
                return
        await asyncio.sleep(FROZEN_PAUSE)


async def _sized(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """In pieces for the agent: what comes in smaller ones is put together."""
    waiting = bytearray()
    async for data in chunks:
        waiting += data
        while len(waiting) >= WRITE_CHUNK:
            yield bytes(waiting[:WRITE_CHUNK])
            del waiting[:WRITE_CHUNK]
    if waiting:
        yield bytes(waiting)


async def _read(file: GuestFile, look: Look) -> AsyncIterator[bytes]:
    """As much as it had when it was looked at; all of one that had nothing. Raises GuestError when it became
    shorter.
    """
    left = look.size
    while left or not look.size:
        data = await file.read(min(left, READ_CHUNK) if look.size else READ_CHUNK)
        if not data:
            break
        left -= len(data) if look.size else 0
        yield data
    if left:
        raise GuestError("the file became shorter while it was read", reason="FileChanged")


def _folder(path: str) -> str:
    """The path before a new name beside a file: "/etc/.motd" of "/etc/motd"."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name[:200]}")


def _check_path(path: str) -> None:
    if not path or len(path) > PATH_LIMIT or "\0" in path:
        raise BadRequest(f"path: 1 to {PATH_LIMIT} characters are needed, and no NUL", field="path")
    if path.endswith("/"):
        raise BadRequest(f"path: {path[:256]} names a directory", field="path", hint="name the file itself")
