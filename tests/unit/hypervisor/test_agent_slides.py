"""The talk's transcripts of the guest agent, byte for byte, through a socket: guest-get-osinfo, guest-exec."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_info import OsInfo
from tests.support import agentreplies

WINDOWS = OsInfo(
    id="mswindows",
    name="Microsoft Windows",
    pretty_name="Windows Server 2019 Datacenter",
    version="Microsoft Windows Server 2019",
    version_id="2019",
    kernel_release="17763",
    kernel_version="10.0",
    machine="x86_64",
    variant="server",
    variant_id="server",
)
RHEL = OsInfo(
    id="rhel",
    name="Red Hat Enterprise Linux",
    pretty_name="Red Hat Enterprise Linux 8.1 Beta (Ootpa)",
    version="8.1 (Ootpa)",
    version_id="8.1",
    kernel_release="4.18.0-103.el8.x86_64",
    kernel_version="#1 SMP Sat Jun 8 15:07:32 UTC 2019",
    machine="x86_64",
)


class Replay:
    """An agent that answers a sync as qemu-ga does, and everything else with the next of ``replies``."""

    def __init__(self, *replies: bytes) -> None:
        self.ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (self.ours, self._theirs):
            end.setblocking(False)
        self._replies = list(replies)
        self.asked: list[object] = []
        self.agent = GuestAgent(lambda: self.ours)
        self.agent.set_connected(True)
        self._task = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        reader = b""
        while data := await loop.sock_recv(self._theirs, 65536):
            *lines, reader = (reader + data).split(b"\n")
            for line in lines:
                asked = json.loads(line.removeprefix(b"\xff"))
                if asked["execute"] == "guest-sync-delimited":
                    assert line.startswith(b"\xff")
                    await loop.sock_sendall(self._theirs, b'\xff{"return": %d}\n' % asked["arguments"]["id"])
                else:
                    self.asked.append(asked)
                    await loop.sock_sendall(self._theirs, self._replies.pop(0) + b"\n")

    async def close(self) -> None:
        self.agent.close()
        await self._task
        self._theirs.close()


@pytest.mark.parametrize(
    ("reply", "expected"), [(agentreplies.OSINFO_WINDOWS, WINDOWS), (agentreplies.OSINFO_RHEL, RHEL)]
)
async def test_osinfo(reply: bytes, expected: OsInfo) -> None:
    replay = Replay(reply)
    assert await replay.agent.osinfo() == expected
    assert replay.asked == [{"execute": "guest-get-osinfo"}]
    await replay.close()


async def test_exec_on_linux() -> None:
    replay = Replay(*agentreplies.EXEC_LINUX)
    result = await replay.agent.execute("/usr/bin/date", ["+%Y-%m-%d"])
    assert (result.exit_code, result.signal, result.stdout, result.stderr) == (0, None, b"2024-06-12\n", b"")
    assert replay.asked == [
        {
            "execute": "guest-exec",
            "arguments": {"path": "/usr/bin/date", "arg": ["+%Y-%m-%d"], "capture-output": True},
        },
        {"execute": "guest-exec-status", "arguments": {"pid": 3894}},
    ]
    await replay.close()


async def test_exec_on_windows() -> None:
    replay = Replay(*agentreplies.EXEC_WINDOWS)
    result = await replay.agent.execute("whoami")
    assert (result.exit_code, result.stdout) == (0, b"nt authority\\system\r\n")
    assert replay.asked[1:] == [{"execute": "guest-exec-status", "arguments": {"pid": 4672}}]
    await replay.close()
