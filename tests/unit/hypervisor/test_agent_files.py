from __future__ import annotations

import asyncio

import pytest

from solovirt.hypervisor import agent_files
from solovirt.hypervisor.agent_files import GuestFile
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from tests.support.memoryagent import MemoryAgent, failed


class Noted:
    def __init__(self) -> None:
        self.open: set[int] = set()

    async def opened(self, handle: int) -> None:
        self.open.add(handle)

    async def closed(self, handle: int) -> None:
        self.open.discard(handle)


async def test_reading_and_writing() -> None:
    agent = MemoryAgent()
    file = await GuestFile.open(agent, "/etc/x", "w")
    await file.write(b"hello ")
    await file.write(b"\x00\xff")
    await file.flush()
    await file.close()
    assert agent.files["/etc/x"] == b"hello \x00\xff"
    file = await GuestFile.open(agent, "/etc/x")
    assert await file.size() == 8
    assert (await file.read(5), file.at_end) == (b"hello", False)
    assert (await file.read(), file.at_end) == (b" \x00\xff", True)
    agent.files["/etc/x"] += b"more"
    assert await file.read() == b"more", "a file may grow"


async def test_a_read_whose_answer_was_lost_is_made_again() -> None:
    agent = MemoryAgent()
    agent.files["/etc/x"] = bytearray(b"abcdef")
    agent.late, agent.failures["guest-file-read"] = True, [GuestError("mute", reason="AgentTimeout")]
    file = await GuestFile.open(agent, "/etc/x")
    with pytest.raises(GuestError):
        await file.read(3)
    assert [await file.read(3), await file.read(3)] == [b"abc", b"def"]


class Liar(MemoryAgent):
    def __init__(self, reply: Json) -> None:
        super().__init__()
        self.reply = reply

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 10) -> Json:
        return self.reply


@pytest.mark.parametrize("reply", [None, "7", True, {}, 1.5, -1, 1 << 63])
async def test_handles_that_are_none(reply: Json) -> None:
    with pytest.raises(GuestError, match="no handle"):
        await GuestFile.open(Liar(reply), "/x")


@pytest.mark.parametrize("text", ["YWJj", "%%%", "YQ"])
async def test_content_that_cannot_be(text: str) -> None:
    with pytest.raises(GuestError) as caught:
        await GuestFile(Liar({"count": 1, "buf-b64": text}), 1).read(2)
    assert caught.value.reason == "AgentBadReply"


async def test_a_short_write_is_told() -> None:
    with pytest.raises(GuestError, match="not everything was written"):
        await GuestFile(Liar({"count": 1}), 1).write(b"ab")
    for position in ("x", -1, 1 << 63):
        with pytest.raises(GuestError, match="no position"):
            await GuestFile(Liar({"position": position}), 1).size()


async def test_what_was_opened_is_closed_however_the_block_ends() -> None:
    agent, noted, closing = MemoryAgent(), Noted(), TaskSet()
    with pytest.raises(ValueError, match="mine"):
        async with agent_files.opened(agent, "/etc/x", "w", noted, closing):
            assert len(noted.open) == len(agent.handles) == 1
            raise ValueError("mine")
    assert (agent.handles, noted.open) == ({}, set())


async def test_what_was_being_opened_is_closed_when_nobody_wants_it_any_more() -> None:
    agent, noted, closing = MemoryAgent(), Noted(), TaskSet()
    gate = agent.gates["guest-file-open"] = asyncio.Event()

    async def work() -> None:
        async with agent_files.opened(agent, "/etc/x", "w", noted, closing):
            raise AssertionError("never")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    gate.set()
    await closing.wait()
    assert agent.opened == [("/etc/x", "w")]
    assert (agent.handles, noted.open) == ({}, set())


@pytest.mark.parametrize(("reason", "kept"), [("CommandFailed", 0), ("AgentTimeout", 1), ("AgentNotConnected", 1)])
async def test_what_could_not_be_closed_is_remembered(reason: str, kept: int) -> None:
    agent, noted, closing = MemoryAgent(), Noted(), TaskSet()
    agent.failures["guest-file-close"] = [GuestError("no", reason=reason)]
    async with agent_files.opened(agent, "/etc/x", "w", noted, closing):
        pass
    assert len(noted.open) == kept


async def test_a_file_that_cannot_be_opened() -> None:
    agent, noted = MemoryAgent(), Noted()
    with pytest.raises(GuestError, match="No such file"):
        async with agent_files.opened(agent, "/nope", "r", noted, TaskSet()):
            pass
    assert noted.open == set()
    assert failed().reason == "CommandFailed"


async def test_a_frozen_guest_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_files, "FROZEN_PAUSE", 0.01)
    agent, noted, closing = MemoryAgent(), Noted(), TaskSet()
    async with agent_files.opened(agent, "/etc/x", "w", noted, closing) as file:
        agent.frozen = True
        writing = asyncio.create_task(file.write(b"x"))
        await asyncio.sleep(0.05)
        assert not writing.done()
        agent.frozen = False
        await writing
        agent.frozen = True
        asyncio.get_running_loop().call_later(0.05, setattr, agent, "frozen", False)
    assert (agent.handles, noted.open, bytes(agent.files["/etc/x"])) == ({}, set(), b"x")
    assert not agent_files.is_frozen(GuestError("disabled by the administrator", reason="CommandDisabled"))
