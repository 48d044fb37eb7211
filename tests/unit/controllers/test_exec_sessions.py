"""Records of programs, and sessions in guests without a shell; sessions that are followed: test_guest_exec."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from solovirt.controllers.exec_sessions import ExecFrame, ExecRecord, ExecRecords, PlainSession
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from solovirt.server.guest_interfaces import StreamRequest
from tests.support.memoryagent import MemoryAgent
from tests.unit.controllers.lab import Lab


async def test_records(lab: Lab) -> None:
    kept = lab.objects.records
    records = ExecRecords(kept)
    later = ExecRecord("b", "default", "vm", ("x",), "2027", pid=3, detached=True)
    earlier = ExecRecord("c", "default", "vm", ("y",), "2026")
    for record in (later, earlier):
        await records.put("uid", record)
    await records.put("other", later)
    await kept.put("execs", "uid/broken", b"{")
    assert records.of("uid") == [earlier, later]
    assert records.get("uid", "b") == later
    assert records.get("uid", "broken") is records.get("uid", "none") is None
    await records.drop("uid", "b")
    assert (records.of("uid"), records.of("other")) == ([earlier], [later])


async def test_without_a_shell_everything_comes_at_the_end() -> None:
    agent = MemoryAgent(shell=False)
    agent.quick, agent.output = 2, (b"o", b"")
    session = PlainSession(agent, ("cmd.exe", "/c"), (), b"", 0)
    assert [frame async for frame in session.frames()] == [
        ExecFrame("stdout", b"o"),
        ExecFrame("stderr", b""),
        ExecFrame("exit", exit_code=2),
    ]


class Asleep(MemoryAgent):
    """Refuses reads at once, as a guest's agent does while the machine is paused."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = False
        self.refused = 0

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 10) -> Json:
        if self.asleep and name.startswith("guest-file"):
            self.refused += 1
            assert self.refused < 50, "it asks again and again, and nobody else gets a turn"
            raise GuestError("the guest sleeps", reason="GuestAsleep")
        return await super().command(name, arguments, timeout=timeout)


async def test_a_guest_that_falls_asleep_at_the_end_does_not_stop_the_daemon(lab: Lab) -> None:
    await lab.create("Always")
    agent = Asleep()
    lab.host.machine.agent = agent  # type: ignore[assignment]
    execs = lab.manager.operations.guest_work.execs
    agent.output = (b"first ", b"")
    session = await execs.start("default", "vm", StreamRequest(("ls",)), nothing())
    frames = session.frames()
    assert await anext(frames) == ExecFrame("stdout", b"first ")
    agent.programs[f"/tmp/.solovirt-exec-{session.id}"].code = 0
    agent.asleep = True
    asyncio.get_running_loop().call_later(0.3, setattr, agent, "asleep", False)
    assert [frame async for frame in frames] == [ExecFrame("exit")]
    assert 1 <= agent.refused < 10
    await session.close()
    await execs._closing.wait()


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


class Endless(MemoryAgent):
    """The program is over, and its output never ends."""

    reads = 0

    def _file_read(self, arguments: JsonObject) -> Json:
        self.reads += 1
        return {"count": 3, "buf-b64": "YWJj", "eof": False}


async def test_output_without_end_is_read_as_fast_as_it_is_taken(lab: Lab) -> None:
    await lab.create("Always")
    agent = Endless()
    lab.host.machine.agent = agent  # type: ignore[assignment]
    agent.quick = 0
    execs = lab.manager.operations.guest_work.execs
    session = await execs.start("default", "vm", StreamRequest(("yes",)), nothing())
    frames = session.frames()
    for _ in range(20):
        assert await anext(frames) == ExecFrame("stdout", b"abc")
    await asyncio.sleep(0.05)
    assert agent.reads == 20, "nothing is read ahead, so nothing is kept"
    await session.close()
    await execs._closing.wait()
    assert agent.handles == {} and await execs.list("default", "vm") == []
