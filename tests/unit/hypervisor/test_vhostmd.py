"""A guest that asks for figures."""

from __future__ import annotations

import asyncio
import socket

import pytest

from solovirt.hypervisor import vhostmd


async def talk(*requests: bytes) -> bytes:
    """What the guest gets before it hangs up."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    async def document() -> bytes:
        return b"<metrics/>\n"

    served = asyncio.create_task(vhostmd.serve(ours, document, pause=0))
    loop = asyncio.get_running_loop()
    with theirs:
        for request in requests:
            await loop.sock_sendall(theirs, request)
        theirs.shutdown(socket.SHUT_WR)
        answer = b""
        while part := await loop.sock_recv(theirs, 4096):
            answer += part
    await asyncio.wait_for(served, 60)
    return answer


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_an_answer_ends_with_an_empty_line(end: bytes) -> None:
    assert await talk(vhostmd.REQUEST + end + end) == b"<metrics/>\n\n"
    assert await talk(vhostmd.REQUEST + end + end, vhostmd.REQUEST + end + end) == b"<metrics/>\n\n" * 2


@pytest.mark.parametrize(
    "request_", [b"GET /etc/passwd\n\n", b"POST /metrics/XML\n\n", vhostmd.REQUEST + b"\nHost: x\n"]
)
async def test_anything_else_is_refused(request_: bytes) -> None:
    assert await talk(request_) == vhostmd.INVALID


async def test_a_guest_that_sends_without_end_costs_nothing() -> None:
    answer = await talk(b"x" * 100_000 + b"\n\n", vhostmd.REQUEST + b"\n\n")
    assert answer.startswith(vhostmd.INVALID) and answer.endswith(b"<metrics/>\n\n")


async def test_half_a_request() -> None:
    assert await talk(vhostmd.REQUEST) == b"" and await talk(vhostmd.REQUEST + b"\n") == b"" and await talk() == b""
