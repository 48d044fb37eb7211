"""The memory of a running machine as a file for a debugger: begun, followed, come to its end.

QEMU writes into a descriptor that we hand over, while the guest stands still; then the guest goes on, also when the
dump fails, and stays paused if it was. Nothing can cancel a dump but the other end of a pipe. Must not know whose file
it is. Source: ``dump-guest-memory``, ``query-dump`` and DUMP_COMPLETED in QEMU's qapi/dump.json; dump/dump.c.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal, cast

from solovirt.hypervisor.happenings import Listener
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.qmpschema import schema_of
from solovirt.kit.errors import BadRequest, Conflict, GuestError, SolovirtError, TimedOut
from solovirt.kit.json import JsonObject, get_int, get_str
from solovirt.kit.text import printable

ELF = "elf"
FORMATS = (ELF, "kdump-zlib", "kdump-lzo", "kdump-snappy")
"""Those that crash reads. What one QEMU can do is another question: ``formats``."""
LOOK = 0.5
"""Seconds between two questions how far it is."""

Status = Literal["none", "active", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of guest memory."""

    status: Status
    done: int
    total: int


async def formats(instance: Instance) -> tuple[str, ...]:
    """What this QEMU can write, for this guest."""
    reply = await instance.qmp("query-dump-guest-memory-capability")
    given = reply.get("formats") if isinstance(reply, dict) else None
    found = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    return tuple(one for one in FORMATS if one in found)


async def begin(instance: Instance, descriptor: int, form: str = ELF) -> None:
    """Has QEMU write to ``descriptor`` (ours stays open) from now on, and returns.

    Raises ``BadRequest`` for a format that it has not, ``Conflict`` while there is another dump or while the machine is
    reset again and again.
    """
    if instance.run_state is RunState.RUNNING:
        await instance.resets.over()
    known = await formats(instance)
    if form not in known:
        raise BadRequest(f"this QEMU writes no dumps in the format {form!r}: {', '.join(known)}", field="format")
    if (await progress(instance)).status == "active":
        raise underway()
    # Of two that begin at once QEMU refuses one; by a common name the other would write into its file.
    name = f"solovirt-dump-{descriptor}"
    arguments: JsonObject = {"paging": False, "protocol": f"fd:{name}", "detach": True}
    if (await schema_of(instance)).has_argument("dump-guest-memory", "format"):
        arguments["format"] = form
    await instance.getfd(name, descriptor)
    instance.expect_stop(RunState.SAVE_VM)
    try:
        await instance.qmp("dump-guest-memory", arguments)
    except GuestError:
        instance.expect_stop(None)
        with contextlib.suppress(SolovirtError):
            await instance.qmp("closefd", {"fdname": name})
        raise


async def progress(instance: Instance) -> Progress:
    reply = await instance.qmp("query-dump")
    found = reply if isinstance(reply, dict) else {}
    status = get_str(found, "status")
    known = cast(Status, status) if status in ("active", "completed", "failed") else "none"
    return Progress(known, get_int(found, "completed"), get_int(found, "total"))


async def step(instance: Instance, listener: Listener) -> Progress:
    """Waits a moment for the end; how far it is. Raises ``GuestError`` with QEMU's words once the dump has failed.

    ``listener`` is of before the beginning, or of an adopted machine's: then QEMU's words may be lost.
    """
    why = ""
    with contextlib.suppress(TimedOut):
        while True:
            name, data = await listener.next(LOOK)
            if name == "DUMP_COMPLETED":
                why = get_str(data, "error")
                break
    found = await progress(instance)
    if found.status != "active":
        instance.expect_stop(None)
    if found.status == "failed":
        raise GuestError(f"the memory dump failed: {printable(why) or 'QEMU does not say why'}", reason="DumpFailed")
    return found


def underway() -> Conflict:
    return Conflict("a memory dump of this machine is under way", reason="DumpUnderway")
