from __future__ import annotations

import asyncio
import socket

import pytest

from solovirt.hypervisor.console import ConsoleSession
from solovirt.kit.errors import Conflict


async def session() -> tuple[ConsoleSession, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    theirs.setblocking(False)
    return await ConsoleSession.open(ours), theirs


async def test_bytes_both_ways_until_the_other_side_ends() -> None:
    console, theirs = await session()
    theirs.send(b"\x00\xffboot")
    assert await console.read() == b"\x00\xffboot"
    await console.write(b"\x03")
    assert theirs.recv(10) == b"\x03"
    theirs.close()
    assert await console.read() == b""
    assert await console.read() == b""
    await console.close()


async def test_end_wakes_a_reader_and_a_writer() -> None:
    console, theirs = await session()

    async def write_for_ever() -> None:
        while True:
            await console.write(bytes(65536))

    reading, writing = asyncio.create_task(console.read()), asyncio.create_task(write_for_ever())
    await asyncio.sleep(0.02)
    assert not reading.done()
    assert not writing.done()
    console.end()
    assert not console.is_open
    assert await reading == b""
    with pytest.raises(Conflict, match="the console session has ended"):
        await writing
    await console.close()
    theirs.close()


async def test_what_came_before_the_end_is_not_shown_after_it() -> None:
    console, theirs = await session()
    theirs.send(b"secret of the next session")
    await asyncio.sleep(0.01)
    console.end()
    assert await console.read() == b""
    theirs.close()
