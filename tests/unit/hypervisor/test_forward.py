from __future__ import annotations

import asyncio

import pytest

from solovirt.hypervisor import forward
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject

HEAD = """Hub -1 (hostua-other):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  19       127.83.86.1  40009        10.0.2.2    80     0     0
Hub -1 (hostua-default):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[ESTABLISHED]   22        10.0.2.2  40001     192.0.2.1   443     0     0
"""
FORWARD = "  TCP[HOST_FORWARD]  20       127.83.86.1  40001        10.0.2.2    80     0     0\n"


class Monitor:
    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.lines: list[str] = []

    async def qmp(self, command: str, arguments: JsonObject | None = None) -> Json:
        assert command == "human-monitor-command"
        self.lines.append(str((arguments or {})["command-line"]))
        await asyncio.sleep(0)
        return self.replies.pop(0) if self.replies else ""


async def test_open_and_closed_again() -> None:
    monitor = Monitor("", "", HEAD + FORWARD)
    async with forward.open_port(monitor, "hostua-default", "10.0.2.2", 80, forward.Forwards()) as port:
        assert port == 40001
    assert monitor.lines == [
        "info usernet",
        "hostfwd_add hostua-default tcp:127.83.86.1:0-10.0.2.2:80",
        "info usernet",
        "hostfwd_remove hostua-default tcp:127.83.86.1:40001",
    ]


async def test_one_that_hangs_holds_up_no_other() -> None:
    second = FORWARD.replace("40001", "40002")
    monitor, known = Monitor("", "", HEAD + FORWARD, "", HEAD + second + FORWARD), forward.Forwards()
    async with (
        forward.open_port(monitor, "hostua-default", "10.0.2.2", 80, known) as first,
        asyncio.timeout(60),
        forward.open_port(monitor, "hostua-default", "10.0.2.2", 80, known) as other,
    ):
        assert (first, other) == (40001, 40002)
    assert monitor.lines[-2:] == [
        "hostfwd_remove hostua-default tcp:127.83.86.1:40002",
        "hostfwd_remove hostua-default tcp:127.83.86.1:40001",
    ]
    assert not known.ports


async def test_what_a_killed_daemon_left_open_is_closed() -> None:
    monitor, known = Monitor(HEAD + FORWARD, "", "", HEAD + FORWARD.replace("40001", "40005")), forward.Forwards()
    async with forward.open_port(monitor, "hostua-default", "10.0.2.2", 80, known) as port:
        assert port == 40005
    assert monitor.lines[1] == "hostfwd_remove hostua-default tcp:127.83.86.1:40001"


async def test_nothing_stays_open_when_the_prober_gives_up() -> None:
    monitor = Monitor("", "", HEAD + FORWARD)

    async def probe() -> None:
        async with forward.open_port(monitor, "hostua-default", "10.0.2.2", 80, forward.Forwards()):
            pytest.fail("too late")

    task = asyncio.create_task(probe())
    while len(monitor.lines) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert monitor.lines[-1] == "hostfwd_remove hostua-default tcp:127.83.86.1:40001"


@pytest.mark.parametrize(
    ("netdev", "replies"),
    [("hostua-default", ["", "invalid host forwarding rule"]), ("hostua-default", ["", "", HEAD]), ("a b", [])],
)
async def test_what_goes_wrong(netdev: str, replies: list[str]) -> None:
    with pytest.raises(GuestError):
        async with forward.open_port(Monitor(*replies), netdev, "10.0.2.2", 80, forward.Forwards()):
            pytest.fail("opened")


def test_states_of_a_connection() -> None:
    def state(*rows: str) -> str:
        return forward.state_of(HEAD + FORWARD + "".join(rows), "hostua-default", 40001)

    assert state() == ""
    waiting = "  TCP[SYN_SENT]      21       127.83.86.1  40001        10.0.2.2    80     0     0\n"
    assert state(waiting) == "SYN_SENT"
    assert state(waiting, waiting.replace("SYN_SENT", "CLOSE_WAIT")) == "CLOSE_WAIT"
    assert "CLOSE_WAIT" in forward.ACCEPTED and "SYN_SENT" not in forward.ACCEPTED
