"""The files that are open inside guests, remembered until they are closed: a daemon that dies cannot close them.

The next one does (``close_stale``), and removes what was only half written. Kept as ``agenthandles`` records, key: the
VMI's uid and the agent's number, value: the half-written file's path, or nothing. Must not know what the files are.
"""

from __future__ import annotations

import contextlib
import logging

from solovirt.controllers.vmi.records import HANDLES
from solovirt.hypervisor import agent_copy
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_files import CLOSE_PATIENCE
from solovirt.kit.errors import GuestError
from solovirt.store.records import Records

log = logging.getLogger(__name__)


class GuestHandles:
    """Of one machine, for ``agent_files.opened``. ``partial`` is a file that is worth nothing before it is closed."""

    def __init__(self, records: Records, uid: str, partial: str = "") -> None:
        self._records = records
        self._uid = uid
        self._partial = partial

    async def opened(self, handle: int) -> None:
        await self._records.put(HANDLES, f"{self._uid}/{handle}", self._partial.encode("utf-8", "surrogateescape"))

    async def closed(self, handle: int) -> None:
        await self._records.delete(HANDLES, f"{self._uid}/{handle}")


def stale(records: Records) -> dict[str, dict[int, str]]:
    """What an earlier daemon left open: VMI uid -> handle -> half-written file. To be asked before this one opens
    any.
    """
    found: dict[str, dict[int, str]] = {}
    for key, value in records.list(HANDLES).items():
        uid, _, number = key.partition("/")
        if number.isdigit():
            found.setdefault(uid, {})[int(number)] = value.decode("utf-8", "surrogateescape")
    return found


async def close_stale(records: Records, uid: str, handles: dict[int, str], agent: GuestAgent) -> None:
    """Closes them. Those of an agent that has been started anew since are gone: that is fine."""
    kept = GuestHandles(records, uid)
    for handle, partial in handles.items():
        try:
            await agent.command("guest-file-close", {"handle": handle}, timeout=CLOSE_PATIENCE)
        except GuestError as error:
            if error.reason != "CommandFailed":
                log.info("instance %s: handle %d is not closed yet: %s", uid, handle, error)
                return
        with contextlib.suppress(GuestError):
            if partial:
                await agent_copy.discard(agent, partial)
        await kept.closed(handle)
