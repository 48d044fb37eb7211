"""The agent's client against a hostile, slow or broken agent (a server in the same event loop)."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from solovirt.hypervisor import agent as agent_module
from solovirt.hypervisor.agent import GuestAgent
from solovirt.kit.errors import BadRequest, GuestError

Handler = Callable[[str, dict[str, object], asyncio.StreamWriter], Awaitable[None]]


async def answer(writer: asyncio.StreamWriter, value: object) -> None:
    writer.write(json.dumps({"return": value}).encode() + b"\n")


@asynccontextmanager
async def fake(handler: Handler, *, sync: bool = True, noise: bytes = b"") -> AsyncIterator[GuestAgent]:
    """An agent whose commands are answered by ``handler``; with ``sync`` it synchronises as qemu-ga does."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            writer.write(noise)
            while line := await reader.readline():
                request = json.loads(line.rpartition(b"\xff")[2])
                arguments = request.get("arguments", {})
                if sync and request["execute"] == "guest-sync-delimited":
                    writer.write(b'\xff{"return": %d}\n' % arguments["id"])
                else:
                    await handler(request["execute"], arguments, writer)
        except OSError:
            pass
        finally:
            writer.close()

    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        connection.connect(str(folder / "s"))
        return connection

    server = await asyncio.start_unix_server(serve, str(folder / "s"))
    agent = GuestAgent(connect)
    agent.set_connected(True)
    try:
        yield agent
    finally:
        agent.close()
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        shutil.rmtree(folder)


async def test_command_returns_what_the_agent_returns() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        await answer(writer, [name, arguments])

    async with fake(handler, noise=b'login: \xfe\xff\x00{}\n{"return": 1}\n') as agent:
        assert await agent.command("guest-x", {"a": "ü\n"}) == ["guest-x", {"a": "ü\n"}]
        assert await agent.command("guest-y") == ["guest-y", {}]


async def test_nothing_is_sent_while_the_port_is_closed() -> None:
    def connect() -> socket.socket:
        raise AssertionError("connected")

    agent = GuestAgent(connect)
    with pytest.raises(GuestError, match="no guest agent is connected") as caught:
        await agent.command("guest-ping")
    assert caught.value.reason == "AgentNotConnected"
    assert "qemu-guest-agent" in caught.value.hint


async def test_a_late_reply_is_not_taken_for_the_next_commands() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        if name == "guest-slow":
            await asyncio.sleep(0.15)
        await answer(writer, name)

    async with fake(handler) as agent:
        for _ in range(2):
            with pytest.raises(GuestError, match=r"did not answer guest-slow within 0\.05 s") as caught:
                await agent.command("guest-slow", timeout=0.05)
            assert caught.value.reason == "AgentTimeout"
            assert await agent.command("guest-next") == "guest-next"


async def test_a_cancelled_command_does_not_spoil_the_next() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        if name == "guest-slow":
            await asyncio.sleep(0.05)
        await answer(writer, name)

    async with fake(handler) as agent:
        task = asyncio.create_task(agent.command("guest-slow"))
        await asyncio.sleep(0.02)
        task.cancel()
        assert await agent.command("guest-next") == "guest-next"


async def test_more_answers_than_questions() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        await answer(writer, name)
        await answer(writer, "a lie for later")
        await asyncio.sleep(0.01)
        await answer(writer, "another")

    async with fake(handler) as agent:
        for name in ("guest-a", "guest-b", "guest-c"):
            assert await agent.command(name) == name


@pytest.mark.parametrize(
    "data", [b"garbage\n", b"[]\n", b"{}\n", b'{"error": 1}\n', b"[" * 100_000 + b"\n", b'{"return": "\xc0"}\n']
)
async def test_replies_that_are_none(data: bytes) -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(data if name == "guest-bad" else b'{"return": "fine"}\n')

    async with fake(handler) as agent:
        with pytest.raises(GuestError) as caught:
            await agent.command("guest-bad")
        assert caught.value.reason == "AgentBadReply"
        assert await agent.command("guest-good") == "fine"


async def test_an_endless_reply_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "REPLY_LIMIT", 100_000)

    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        while name == "guest-endless" and not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()
            await asyncio.sleep(0)
        await answer(writer, name)

    async with fake(handler) as agent:
        with pytest.raises(GuestError, match="larger than 100000 bytes") as caught:
            await agent.command("guest-endless")
        assert caught.value.reason == "AgentBadReply"
        with pytest.raises(GuestError) as deaf:
            await agent.command("guest-next", timeout=0.1)
        assert deaf.value.reason == "AgentTimeout"


async def test_a_guest_that_talks_without_being_asked_is_not_read_for_ever() -> None:
    sent = 0

    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await answer(writer, name)
        if name == "guest-flood":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        writer.write(b"x" * 65536)
                        await writer.drain()
                        sent += 65536

    async with fake(handler) as agent:
        assert await agent.command("guest-flood") == "guest-flood"
        await asyncio.sleep(0.4)
        assert 0 < sent < 4 * 1024 * 1024
        assert await agent.command("guest-next", timeout=60) == "guest-next"


async def test_an_agent_that_never_answers_a_sync() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        writer.write(b'\xff{"return": 5}\n{"return": 5}\n')

    async with fake(handler, sync=False) as agent:
        with pytest.raises(GuestError) as caught:
            await agent.command("guest-ping", timeout=0.1)
        assert caught.value.reason == "AgentTimeout"


async def test_shutdown_needs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "NO_REPLY_PATIENCE", 0.05)

    async def silent(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        if arguments.get("mode") == "halt":
            writer.close()
        elif arguments.get("mode") == "reboot":
            writer.write(b'{"error": {"class": "GenericError", "desc": "not \\u001b[31mnow"}}\n')

    async with fake(silent) as agent:
        assert await agent.command("guest-shutdown") == {}
        assert await agent.command("guest-shutdown", {"mode": "halt"}) == {}
        with pytest.raises(GuestError, match=r"^guest-shutdown: not \[31mnow$"):
            await agent.command("guest-shutdown", {"mode": "reboot"})


async def test_hostile_exec_replies() -> None:
    statuses: list[object] = []

    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        await answer(writer, {"pid": 5} if name == "guest-exec" else statuses.pop(0))

    async with fake(handler) as agent:
        statuses[:] = [{"exited": False}, 7, {"exited": "yes"}, {"exited": True, "exitcode": 3, "out-data": "aGk="}]
        result = await agent.execute("x")
        assert (result.exit_code, result.stdout) == (3, b"hi")
        statuses[:] = [{"exited": True, "exitcode": 0, "out-data": "not base64"}]
        with pytest.raises(GuestError, match="out-data is not base64"):
            await agent.execute("x")
        statuses[:] = [{"exited": True, "exitcode": 0, "err-data": "ü"}]
        with pytest.raises(GuestError, match="err-data is not base64"):
            await agent.execute("x")


async def test_exec_without_a_pid() -> None:
    async def handler(name: str, arguments: dict[str, object], writer: asyncio.StreamWriter) -> None:
        await answer(writer, {"pid": True})

    async with fake(handler) as agent:
        with pytest.raises(GuestError, match="no pid"):
            await agent.execute("x")
        with pytest.raises(BadRequest):
            await agent.execute("x", input_data=bytes(agent_module.INPUT_LIMIT + 1))
