from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from solovirt.controllers import guest_files
from solovirt.controllers.guest_files import GuestFiles
from solovirt.hypervisor import agent_files
from solovirt.kit.errors import BadRequest, Conflict, GuestError, NotFound
from tests.support.memoryagent import MemoryAgent
from tests.unit.controllers.lab import Lab

HERE = ("default", "vm")


@pytest.fixture
async def agent(lab: Lab) -> MemoryAgent:
    await lab.create("Always")
    made = MemoryAgent()
    lab.host.machine.agent = made  # type: ignore[assignment]
    return made


@pytest.fixture
def files(lab: Lab) -> GuestFiles:
    return lab.manager.operations.guest_work.files


async def body(*pieces: bytes | Exception) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


async def get(files: GuestFiles, path: str) -> bytes:
    async with files.get(*HERE, path) as download:
        return b"".join([data async for data in download.chunks])


async def clean(lab: Lab, files: GuestFiles, agent: MemoryAgent) -> bool:
    """Nothing is open, half written or remembered."""
    await files._closing.wait()
    partial = [path for path in agent.files if path.endswith(".partial")]
    return not agent.handles and not partial and not lab.objects.records.list("agenthandles")


async def test_there_and_back(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    content = bytes(range(256)) * 3000
    agent.files["/etc/x"] = bytearray(b"old")
    done = await files.put(*HERE, "/etc/x", body(content[:7], content[7:]), mode=0o751)
    digest = hashlib.sha256(content).hexdigest()
    assert done == {"path": "/etc/x", "size": len(content), "sha256": digest, "verified": "sha256"}
    assert (bytes(agent.files["/etc/x"]), agent.modes["/etc/x"]) == (content, 0o751)
    async with files.get(*HERE, "/etc/x") as download:
        assert (download.look.size, download.look.mode, download.look.sha256) == (len(content), 0o751, digest)
        assert b"".join([data async for data in download.chunks]) == content
    assert await clean(lab, files, agent)


async def test_pieces_are_as_large_as_the_agent_likes_them(
    agent: MemoryAgent, files: GuestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_files, "WRITE_CHUNK", 4)
    await files.put(*HERE, "/etc/x", body(b"a", b"bcdefgh", b"ij"))
    assert agent.commands.count("guest-file-write") == 3
    assert agent.files["/etc/x"] == b"abcdefghij"


async def test_an_empty_file(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    await files.put(*HERE, "/etc/x", body())
    assert await get(files, "/etc/x") == b""
    assert agent.modes["/etc/x"] == 0o644
    assert await clean(lab, files, agent)


async def test_a_guest_without_sha256sum_compares_sizes(agent: MemoryAgent, files: GuestFiles) -> None:
    agent.sha256 = False
    assert (await files.put(*HERE, "/etc/x", body(b"abc")))["verified"] == "size"
    async with files.get(*HERE, "/etc/x") as download:
        assert download.look.sha256 == ""


async def test_a_guest_without_a_shell(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    agent.shell = False
    done = await files.put(*HERE, "C:\\x", body(b"abc"))
    assert (done["verified"], done["inPlace"], bytes(agent.files["C:\\x"])) == ("size", True, b"abc")
    assert await get(files, "C:\\x") == b"abc"
    assert await clean(lab, files, agent)


@pytest.mark.parametrize("where", ["guest-file-open", "guest-file-write", "guest-file-flush"])
async def test_what_fails_leaves_what_was_there(lab: Lab, agent: MemoryAgent, files: GuestFiles, where: str) -> None:
    agent.files["/etc/x"] = bytearray(b"old")
    agent.failures[where] = [GuestError("No space left on device", reason="CommandFailed")]
    with pytest.raises(GuestError, match="No space"):
        await files.put(*HERE, "/etc/x", body(b"new"))
    assert await clean(lab, files, agent)
    assert agent.files == {"/etc/x": bytearray(b"old")}


async def test_a_client_that_goes_leaves_nothing(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    with pytest.raises(BadRequest):
        await files.put(*HERE, "/etc/x", body(b"new", BadRequest("went away")))
    assert await clean(lab, files, agent)
    assert agent.files == {}


@pytest.mark.parametrize("where", ["guest-exec", "guest-file-open", "guest-file-write", "guest-exec-status"])
async def test_a_copy_that_is_cancelled(lab: Lab, agent: MemoryAgent, files: GuestFiles, where: str) -> None:
    gate = agent.gates[where] = asyncio.Event()
    copying = asyncio.create_task(files.put(*HERE, "/etc/x", body(b"new")))
    await asyncio.sleep(0.02)
    copying.cancel()
    gate.set()
    await asyncio.wait([copying])
    assert copying.cancelled()
    assert await clean(lab, files, agent)
    assert "/etc/x" not in agent.files


async def test_what_arrives_differently_is_told(
    lab: Lab, agent: MemoryAgent, files: GuestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_file_write", lambda arguments: {"count": 3})
    with pytest.raises(GuestError) as caught:
        await files.put(*HERE, "/etc/x", body(b"new"))
    assert caught.value.reason == "ChecksumMismatch"
    assert await clean(lab, files, agent)


async def test_a_file_that_shrinks_and_one_that_grows(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    agent.files["/etc/x"] = bytearray(b"abcdef")
    async with files.get(*HERE, "/etc/x") as download:
        agent.files["/etc/x"] += b"more"
        assert b"".join([data async for data in download.chunks]) == b"abcdef"
    with pytest.raises(GuestError, match="became shorter"):
        async with files.get(*HERE, "/etc/x") as download:
            del agent.files["/etc/x"][3:]
            async for _ in download.chunks:
                pass
    assert await clean(lab, files, agent)


async def test_files_that_tell_no_size_are_read_to_their_end(agent: MemoryAgent, files: GuestFiles) -> None:
    agent.files["/proc/x"] = bytearray()
    async with files.get(*HERE, "/proc/x") as download:
        agent.files["/proc/x"] += b"made just now"
        assert b"".join([data async for data in download.chunks]) == b"made just now"


async def test_others_have_their_turn_during_a_copy(
    agent: MemoryAgent, files: GuestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece is a command of its own: a ping stands between two of them, not behind all."""
    monkeypatch.setattr(guest_files, "WRITE_CHUNK", 1)
    copying = asyncio.create_task(files.put(*HERE, "/etc/x", body(bytes(50))))
    while agent.commands.count("guest-file-write") < 5:
        await asyncio.sleep(0)
    await agent.ping()
    assert not copying.done()
    await copying
    assert agent_files.WRITE_CHUNK <= 1 << 20


@pytest.mark.parametrize("path", ["", "/etc/", "a\0b", "x" * 5000])
async def test_paths_that_name_no_file(agent: MemoryAgent, files: GuestFiles, path: str) -> None:
    with pytest.raises(BadRequest):
        await files.put(*HERE, path, body(b"x"))
    with pytest.raises(BadRequest):
        await get(files, path)
    assert agent.commands == []


async def test_refusals(lab: Lab, agent: MemoryAgent, files: GuestFiles) -> None:
    with pytest.raises(BadRequest, match="is a directory"):
        await files.put(*HERE, "/etc", body(b"x"))
    with pytest.raises(NotFound, match="directory does not exist"):
        await files.put(*HERE, "/nope/x", body(b"x"))
    with pytest.raises(NotFound, match="no such file"):
        await get(files, "/etc/x")
    agent.set_connected(False)
    with pytest.raises(Conflict):
        await files.put(*HERE, "/etc/x", body(b"x"))
