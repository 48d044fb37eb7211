from __future__ import annotations

import asyncio
import json
import socket

import pytest

from solovirt.hypervisor.agent_channel import AgentChannel
from solovirt.kit.errors import GuestError
from solovirt.kit.json import JsonObject


class Peer:
    """The other side of a channel, played by the test."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ours.setblocking(False)
        self.theirs.setblocking(False)

    async def request(self) -> tuple[str, JsonObject]:
        line = b""
        while not line.endswith(b"\n"):
            line += await asyncio.get_running_loop().sock_recv(self.theirs, 65536)
        message = json.loads(line.rpartition(b"\xff")[2])
        return message["execute"], message.get("arguments", {})

    def say(self, data: bytes) -> None:
        self.theirs.send(data)

    async def synchronise(self) -> None:
        name, arguments = await self.request()
        assert name == "guest-sync-delimited"
        self.say(b'\xff{"return": %d}\n' % arguments["id"])


async def start(peer: Peer, name: str = "guest-x", **more: float) -> tuple[AgentChannel, asyncio.Task[JsonObject]]:
    channel = await AgentChannel.open(peer.ours)
    return channel, asyncio.create_task(channel.exchange(name, None, limit=1000, **more))


async def test_it_synchronises_once() -> None:
    peer = Peer()
    channel, task = await start(peer)
    await peer.synchronise()
    for number in range(3):
        assert await peer.request() == ("guest-x", {})
        peer.say(b'{"return": %d}\n' % number)
        assert await task == {"return": number}
        task = asyncio.create_task(channel.exchange("guest-x", None, limit=1000))
    await peer.request()
    channel.close()
    with pytest.raises(GuestError) as caught:
        await task
    assert caught.value.reason == "AgentNotConnected"
    assert not channel.is_open
    with pytest.raises(GuestError):
        await channel.exchange("guest-x", None, limit=1000)
    peer.theirs.close()


async def test_a_hang_up_is_not_connected() -> None:
    peer = Peer()
    channel, task = await start(peer)
    await peer.synchronise()
    await peer.request()
    peer.theirs.close()
    with pytest.raises(GuestError) as caught:
        await task
    assert caught.value.reason == "AgentNotConnected"
    assert not channel.is_open


async def test_a_lost_sync_is_sent_again_with_another_id() -> None:
    peer = Peer()
    channel, task = await start(peer)
    first = await peer.request()
    second = await peer.request()
    assert first[0] == second[0] == "guest-sync-delimited"
    assert first[1] != second[1]
    peer.say(b'\xff{"return": %d}\n' % first[1]["id"])
    peer.say(b'\xff{"return": %d}\n' % second[1]["id"])
    assert await peer.request() == ("guest-x", {})
    peer.say(b'{"return": {}}\n')
    assert await task == {"return": {}}
    channel.close()
    peer.theirs.close()


async def test_a_command_that_the_guest_did_not_read_is_never_delivered_late() -> None:
    peer = Peer()
    channel = await AgentChannel.open(peer.ours)
    task = asyncio.create_task(channel.exchange("guest-x", {"data": "x" * 10_000_000}, limit=1000))
    await peer.synchronise()
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait({task})
    assert not channel.is_open
    peer.theirs.close()


async def test_silence_counts_as_success_where_it_is_expected() -> None:
    peer = Peer()
    channel, task = await start(peer, silence_after=0.02)
    await peer.synchronise()
    await peer.request()
    assert await task == {"return": {}}
    again = asyncio.create_task(channel.exchange("guest-y", None, limit=1000))
    await peer.synchronise()
    assert await peer.request() == ("guest-y", {})
    peer.say(b'{"return": 1}\n')
    assert await again == {"return": 1}
    channel.close()
    peer.theirs.close()
