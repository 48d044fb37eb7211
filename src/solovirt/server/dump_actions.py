"""``memorydump`` and ``removememorydump`` (KubeVirt's); ``GET memorydump`` of a VMI (ours): its memory as a file.

``x-solovirt-memory`` is how many bytes of memory the guest has. An answer that breaks off has no last chunk; the VMI's
events say why, and so does its last word in frames (``server.bytestreams``). The guest stands still until all is read,
so a client that stops to read loses its turn.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from solovirt.server import bodies, streams
from solovirt.server.actions import VMIS, VMS, Actions, Target, options, typed
from solovirt.server.bytestreams import ByteAnswer, wants_frames

STALL = 60.0
"""Seconds that a client may leave unread what waits for it."""


class DumpBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """VirtualMachineMemoryDumpRequest as virtctl sends it; only the claim is taken from it."""

    claim_name: str = ""
    phase: str = ""


async def _dump(target: Target) -> Response:
    body = typed(await bodies.read_options(target.request), DumpBody)
    await target.services.operations.dumps.request(target.namespace, target.name, body.claim_name)
    return Response(status_code=202)


async def _remove(target: Target) -> Response:
    await options(target, {})
    await target.services.operations.dumps.remove(target.namespace, target.name)
    return Response(status_code=202)


async def _get(target: Target) -> ASGIApp:
    services = target.services
    stack = AsyncExitStack()
    form = target.request.query_params.get("format", "elf")
    opening = stack.enter_async_context(services.operations.dumps.stream(target.namespace, target.name, form))
    stream = await streams.unless_stopped(services.lifetime, opening)
    return ByteAnswer(
        stream.chunks,
        stack,
        services.lifetime,
        what=f"the memory dump of {target.name}",
        framed=wants_frames(target.request),
        headers=[(b"x-solovirt-memory", b"%d" % stream.memory)],
        stall=STALL,
    )


KUBEVIRT: Actions = {
    (VMS, "memorydump"): {"PUT": _dump},
    (VMS, "removememorydump"): {"PUT": _remove},
}

OWN: Actions = {(VMIS, "memorydump"): {"GET": _get}}
