"""The agent's client against the real qemu-ga, which needs no guest to listen on a unix socket."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from solovirt.hypervisor.agent import GuestAgent
from solovirt.kit.errors import GuestError

pytestmark = pytest.mark.real

QEMU_GA = shutil.which("qemu-ga") or shutil.which("qemu-ga", path="/usr/sbin:/sbin")


def connect_to(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


async def answers(agent: GuestAgent) -> bool:
    try:
        await agent.ping()
    except GuestError as error:
        assert error.reason == "AgentNotConnected"
        return False
    return True


@asynccontextmanager
async def running_agent(root: Path, *options: str) -> AsyncIterator[GuestAgent]:
    assert QEMU_GA, "install the package qemu-guest-agent"
    path = root / "ga.test"
    process = await asyncio.create_subprocess_exec(
        *(QEMU_GA, "-m", "unix-listen", "-p", str(path), "-t", str(root), "-l", str(root / "ga.log"), *options)
    )
    agent = GuestAgent(lambda: connect_to(path))
    try:
        agent.set_connected(True)
        async with asyncio.timeout(60):
            while not await answers(agent):
                await asyncio.sleep(0.005)
        yield agent
    finally:
        agent.close()
        process.kill()
        await process.wait()
        path.unlink(missing_ok=True)


@pytest.fixture
async def agent(root: Path) -> AsyncIterator[GuestAgent]:
    async with running_agent(root) as made:
        yield made


async def test_typed_readers(agent: GuestAgent) -> None:
    info = await agent.info()
    assert info.version.count(".") == 2
    assert {"guest-exec", "guest-ping"} <= {command.name for command in info.supported_commands if command.enabled}
    assert (await agent.osinfo()).kernel_release == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert await agent.hostname() == socket.gethostname()
    assert -86400 < (await agent.timezone()).offset < 86400
    loopback = next(one for one in await agent.interfaces() if one.name == "lo")
    assert ("127.0.0.1", "ipv4", 8) in [(ip.ip_address, ip.ip_address_type, ip.prefix) for ip in loopback.ip_addresses]
    assert isinstance(await agent.users(), tuple)
    assert isinstance(await agent.filesystems(), tuple)
    assert await agent.fsfreeze_status() == "thawed"
    assert await agent.command("guest-ping") == {}


async def test_errors_name_the_command_and_say_why(agent: GuestAgent) -> None:
    with pytest.raises(GuestError, match="guest-nothing: The command guest-nothing has not been found") as unknown:
        await agent.command("guest-nothing")
    assert unknown.value.reason == "CommandNotFound"
    with pytest.raises(GuestError, match=r"guest-file-open: .*/nonexistent/x.*No such file") as failed:
        await agent.command("guest-file-open", {"path": "/nonexistent/x"})
    assert failed.value.reason == "CommandFailed"
    with pytest.raises(GuestError, match="'path' is missing"):
        await agent.command("guest-file-open", {})
    await agent.ping()


async def test_disabled_command(root: Path) -> None:
    async with running_agent(root, "-b", "guest-exec") as agent:
        with pytest.raises(GuestError, match="guest-exec: Command guest-exec has been disabled") as caught:
            await agent.execute("/bin/true")
        assert caught.value.reason == "CommandDisabled"


async def test_exec_gives_streams_and_status(agent: GuestAgent) -> None:
    result = await agent.execute(
        "/bin/sh",
        ["-c", "cat; echo $NAME $1 >&2; exit 7", "sh", 'a "b'],
        env=["NAME=väl"],
        input_data=bytes(range(256)),
    )
    assert result.exit_code == 7
    assert result.signal is None
    assert result.stdout == bytes(range(256))
    assert result.stderr == 'väl a "b\n'.encode()
    assert not result.stdout_truncated
    killed = await agent.execute("/bin/sh", ["-c", "kill -TERM $$"])
    assert (killed.exit_code, killed.signal) == (None, 15)
    silent = await agent.execute("true")
    assert (silent.exit_code, silent.stdout, silent.stderr) == (0, b"", b"")


async def test_exec_of_what_is_not_there(agent: GuestAgent) -> None:
    with pytest.raises(GuestError, match=r"guest-exec: .*nonexistent") as caught:
        await agent.execute("/nonexistent/program")
    assert caught.value.reason == "CommandFailed"


async def test_exec_cuts_what_the_agent_cuts(agent: GuestAgent) -> None:
    result = await agent.execute("/bin/sh", ["-c", "head -c 20000000 /dev/zero"])
    assert result.stdout == bytes(16 * 1024 * 1024)
    assert result.stdout_truncated


async def test_exec_that_takes_too_long_says_that_it_goes_on(agent: GuestAgent) -> None:
    with pytest.raises(GuestError, match=r"did not end within 1 s") as caught:
        await agent.execute("/bin/sleep", ["4"], timeout=1)
    assert caught.value.reason == "AgentTimeout"
    assert "goes on in the guest as process" in caught.value.hint
    await agent.ping()


async def test_many_commands_at_once_take_turns(agent: GuestAgent) -> None:
    runs = [agent.execute("/bin/echo", [str(number)]) for number in range(10)]
    results = await asyncio.gather(*runs)
    assert [result.stdout for result in results] == [b"%d\n" % number for number in range(10)]


async def test_port_closed_ends_the_command_under_way(agent: GuestAgent) -> None:
    running = asyncio.create_task(agent.execute("/bin/sleep", ["5"]))
    await asyncio.sleep(0.1)
    agent.set_connected(False)
    with pytest.raises(GuestError) as caught:
        await running
    assert caught.value.reason == "AgentNotConnected"
    agent.set_connected(True)
    await agent.ping()


async def test_an_agent_that_died_is_not_connected(root: Path) -> None:
    async with running_agent(root) as agent:
        await agent.ping()
    with pytest.raises(GuestError) as caught:
        await agent.ping()
    assert caught.value.reason == "AgentNotConnected"
