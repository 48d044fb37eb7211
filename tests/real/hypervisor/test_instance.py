"""What a guest does, as its instance tells it. The guests are a few instructions in a boot sector."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.errors import Conflict, GuestError, Unavailable
from tests.real.hypervisor.machines import DISK_WITH_READ_ERRORS, ECHO, POWER_OFF, Events, boot_sector, machine

pytestmark = pytest.mark.real


async def test_a_guest_that_powers_off_can_still_be_asked(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = machine(root, extra=boot_sector(root, POWER_OFF))
    instance = await hypervisor.launch(launch)
    event = await events.wait_for("shutdown")
    assert event.detail == "guest-shutdown"
    assert await instance.status() is RunState.SHUTDOWN
    assert events.kinds() == ["running", "shutdown"], "its STOP is not a pause"
    with pytest.raises(GuestError):
        await instance.resume()

    # And so can one that powered off while nobody watched.
    await hypervisor.close()
    later = Hypervisor(events)
    again = await later.adopt(launch.identity)
    assert again is not None
    assert again.run_state is RunState.SHUTDOWN
    await again.quit()
    await later.close()


async def test_a_disk_error_stops_the_machine_and_is_told(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    instance = await hypervisor.launch(machine(root, extra=DISK_WITH_READ_ERRORS))
    error = await events.wait_for("io-error")
    paused = await events.wait_for("paused")
    assert "read failed: Input/output error" in error.detail
    assert paused.detail == "io-error"
    assert instance.run_state is RunState.IO_ERROR
    assert await instance.status() is RunState.IO_ERROR


async def test_qemu_refuses_in_its_own_words(root: Path, hypervisor: Hypervisor) -> None:
    instance = await hypervisor.launch(machine(root))
    with pytest.raises(GuestError, match="The command no-such-command has not been found") as caught:
        await instance.qmp("no-such-command")
    assert caught.value.reason == "CommandNotFound"
    assert await instance.qmp("query-name") == {}


async def test_without_a_guest_no_agent_is_connected(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    instance = await hypervisor.launch(machine(root))
    assert not instance.agent.connected
    with pytest.raises(GuestError) as caught:
        await instance.agent.ping()
    assert caught.value.reason == "AgentNotConnected"
    assert events.kinds() == ["running"]


async def test_console_carries_bytes_both_ways_and_ends_with_qemu(root: Path, hypervisor: Hypervisor) -> None:
    # Paused, so that the session is there before the guest's first word: QEMU keeps none for later.
    instance = await hypervisor.launch(machine(root, paused=True, extra=boot_sector(root, ECHO)))
    console = await instance.open_console()
    await instance.resume()
    async with asyncio.timeout(60):
        assert await read_until(console.read, b"!")
        await console.write(b"\x00\xff\x1dbytes")
        assert (await read_until(console.read, b"bytes")).endswith(b"\x00\xff\x1dbytes")
        await instance.kill()
        assert await console.read() == b""
    with pytest.raises(Conflict):
        await console.write(b"x")
    with pytest.raises(Unavailable):
        await instance.open_console()


async def test_a_new_console_session_ends_the_old_one(root: Path, hypervisor: Hypervisor) -> None:
    instance = await hypervisor.launch(machine(root, paused=True, extra=boot_sector(root, ECHO)))
    old = await instance.open_console()
    waiting = asyncio.create_task(old.read())
    await asyncio.sleep(0)
    new = await instance.open_console()
    async with asyncio.timeout(60):
        assert await waiting == b""
        assert not old.is_open
        with pytest.raises(Conflict):
            await old.write(b"x")
        await instance.resume()
        assert await read_until(new.read, b"!")
        await new.close()
        await new.close()
        third = await instance.open_console()
        await third.write(b"again")
        assert await read_until(third.read, b"again")


async def test_a_guest_that_does_not_read_its_console_holds_the_writer_back(root: Path, hypervisor: Hypervisor) -> None:
    instance = await hypervisor.launch(machine(root, paused=True))
    console = await instance.open_console()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            while True:
                await console.write(bytes(64 * 1024))


async def read_until(read: Callable[[], Awaitable[bytes]], end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        data = await read()
        assert data, f"ended after {got!r}"
        got += data
    return got


async def test_a_link_is_off_before_the_guest_runs(root: Path, hypervisor: Hypervisor) -> None:
    nic = ("-netdev", "hubport,id=hub,hubid=0", "-device", "e1000e,netdev=hub,id=ua-lan")
    launch = dataclasses.replace(machine(root, extra=nic), links_down=("ua-lan",))
    instance = await hypervisor.launch(launch)
    assert instance.run_state is RunState.RUNNING
    await instance.quit()
    with pytest.raises(GuestError, match="ua-other"):
        await hypervisor.launch(dataclasses.replace(machine(root, "other"), links_down=("ua-other",)))
