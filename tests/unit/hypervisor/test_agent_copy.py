"""What the guest says about a copy; the scripts themselves run in tests/real/hypervisor/test_agent_scripts.py."""

from __future__ import annotations

import base64

import pytest

from solovirt.hypervisor import agent_copy
from solovirt.hypervisor.agent_copy import Look
from solovirt.kit.errors import BadRequest, GuestError, NotFound, SolovirtError
from tests.support.memoryagent import MemoryAgent

SHA = "a" * 64


def saying(out: str, code: int = 0, err: str = "") -> MemoryAgent:
    agent = MemoryAgent()
    status = {
        "exited": True,
        "exitcode": code,
        "out-data": base64.b64encode(out.encode()).decode(),
        "err-data": base64.b64encode(err.encode()).decode(),
    }
    agent._exec_status = lambda arguments: status  # type: ignore[method-assign, assignment, return-value]
    return agent


@pytest.mark.parametrize(
    ("said", "look"),
    [
        (f"12 640 {SHA}\n", Look(12, 0o640, SHA)),
        ("12 4755\n", Look(12, 0o755, "")),
        ("0 0 \n", Look(0, None, "")),
    ],
)
async def test_look(said: str, look: Look) -> None:
    assert await agent_copy.look(saying(said), "/x") == look


@pytest.mark.parametrize(
    "said",
    [
        "",
        "x 644",
        "1",
        "1 999",
        "-1 644",
        "9" * 19 + " 644",
        "9" * 5000 + " 644",
        f"1 644 {SHA}0",
        f"1 644 {SHA} more",
        "1 644 ../x",
    ],
)
async def test_looks_that_cannot_be(said: str) -> None:
    with pytest.raises(GuestError) as caught:
        await agent_copy.look(saying(said), "/x")
    assert caught.value.reason == "AgentBadReply"


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (20, NotFound, "no such file"),
        (21, BadRequest, "is a directory"),
        (22, BadRequest, "no regular file"),
        (23, GuestError, "not what was sent"),
        (24, NotFound, "directory does not exist"),
        (1, GuestError, r"Read-only file system\[31m$"),
    ],
)
async def test_refusals(code: int, kind: type[SolovirtError], said: str) -> None:
    agent = saying("", code, "Read-only file system\x1b[31m\n")
    with pytest.raises(kind, match=said):
        await agent_copy.begin(agent, "/x", "/y")


async def test_how_it_was_compared() -> None:
    for out, exact in (("sha256\n", True), ("\n", False)):
        agent = saying(out)
        agent.files["/y"] = bytearray(b"1")
        assert await agent_copy.finish(agent, "/x", "/y", sha256=SHA, size=1, mode=0o644) is exact
