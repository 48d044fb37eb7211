from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from solovirt.controllers import guest_exec
from solovirt.controllers.exec_sessions import ExecFrame, ExecSession
from solovirt.controllers.guest_exec import GuestExecs
from solovirt.hypervisor import agent_exec
from solovirt.kit.errors import BadRequest, Conflict, GuestError, NotFound
from solovirt.server.guest_interfaces import StreamRequest
from tests.support.memoryagent import MemoryAgent
from tests.unit.controllers.lab import VMS, Lab

HERE = ("default", "vm")
LS = StreamRequest(("ls", "-l"), ("A=b",))


@pytest.fixture
async def agent(lab: Lab) -> MemoryAgent:
    """The agent of the VM "vm"."""
    await lab.create("Always")
    made = MemoryAgent()
    lab.host.machine.agent = made  # type: ignore[assignment]
    return made


@pytest.fixture
def execs(lab: Lab) -> GuestExecs:
    return lab.manager.operations.guest_work.execs


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    nap = asyncio.sleep
    monkeypatch.setattr("solovirt.hypervisor.agent_exec.asyncio.sleep", lambda seconds: nap(min(seconds, 0.001)))


async def stdin(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def everything(session: ExecSession) -> list[ExecFrame]:
    found = [frame async for frame in session.frames()]
    await session.close()
    return found


async def settled(execs: GuestExecs) -> None:
    await execs._closing.wait()


async def test_output_comes_while_it_runs(agent: MemoryAgent, execs: GuestExecs) -> None:
    agent.output = (b"first ", b"")
    session = await execs.start(*HERE, LS, stdin(b"a", b"b"))
    folder = agent_exec.folder(session.id)
    program = agent.programs[folder]
    assert (program.command, program.env, program.stdin) == (("ls", "-l"), ("A=b",), b"ab")
    frames = session.frames()
    assert await anext(frames) == ExecFrame("stdout", b"first ")
    agent.files[f"{folder}/err"] += b"oops"
    assert await anext(frames) == ExecFrame("stderr", b"oops")
    agent.files[f"{folder}/out"] += b"last"
    program.code = 3
    assert [frame async for frame in frames] == [ExecFrame("stdout", b"last"), ExecFrame("exit", exit_code=3)]
    await session.close()
    await settled(execs)
    assert (agent.files, agent.handles, await execs.list(*HERE)) == ({}, {}, [])
    assert program.signals == []


async def test_long_output_is_read_in_turns(
    agent: MemoryAgent, execs: GuestExecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solovirt.hypervisor.agent_files.READ_CHUNK", 10)
    agent.output, agent.quick = (bytes(3 * (1 << 20)), b"e"), 0
    frames = await everything(await execs.start(*HERE, LS, stdin()))
    assert sum(len(frame.data) for frame in frames if frame.kind == "stdout") == 3 << 20
    assert frames[-2:] == [ExecFrame("stderr", b"e"), ExecFrame("exit")]


async def test_one_that_nobody_follows_any_more_is_ended(agent: MemoryAgent, execs: GuestExecs) -> None:
    session = await execs.start(*HERE, LS, stdin())
    program = agent.programs[agent_exec.folder(session.id)]
    following = asyncio.create_task(everything(session))
    await asyncio.sleep(0.02)
    following.cancel()
    await asyncio.wait([following])
    await session.close()
    await settled(execs)
    assert program.signals == ["TERM"]
    assert (agent.files, agent.handles, await execs.list(*HERE)) == ({}, {}, [])


async def test_one_that_is_let_go_is_found_again(agent: MemoryAgent, execs: GuestExecs) -> None:
    agent.output = (b"before ", b"")
    session = await execs.start(*HERE, StreamRequest(("make",), detach=True), stdin())
    await session.close()
    (item,) = await execs.list(*HERE)
    assert (item["id"], item["state"], item["command"], item["detached"]) == (session.id, "running", ["make"], True)
    folder = agent_exec.folder(session.id)
    left = await execs.attach(*HERE, session.id)
    assert (await anext(left.frames())).data == b"before "
    await left.close()
    await settled(execs)
    assert agent.programs[folder].signals == [], "whoever attaches may leave again"
    agent.forget_programs()
    agent.programs[folder].code = 9
    assert (await execs.list(*HERE))[0]["exitCode"] == 9
    frames = await everything(await execs.attach(*HERE, session.id))
    assert frames == [ExecFrame("stdout", b"before "), ExecFrame("exit", exit_code=9)]
    await settled(execs)
    assert await execs.list(*HERE) == []


async def test_killing_and_signals(agent: MemoryAgent, execs: GuestExecs) -> None:
    session = await execs.start(*HERE, StreamRequest(("x",), detach=True), stdin())
    program = agent.programs[agent_exec.folder(session.id)]
    program.stubborn = True
    await execs.kill(*HERE, session.id, "USR1")
    await execs.kill(*HERE, session.id, None)
    assert program.signals == ["USR1", "TERM", "KILL"]
    with pytest.raises(NotFound, match="no program"):
        await execs.kill(*HERE, session.id, None)
    other = await execs.start(*HERE, StreamRequest(("x",), detach=True), stdin())
    agent.programs[agent_exec.folder(other.id)].code = 0
    with pytest.raises(Conflict, match="does not run any more"):
        await execs.kill(*HERE, other.id, "INT")


async def test_time_that_is_over(agent: MemoryAgent, execs: GuestExecs) -> None:
    session = await execs.start(*HERE, StreamRequest(("sleep",), timeout=0.05), stdin())
    assert await everything(session) == [ExecFrame("exit", exit_code=124, timed_out=True)]


async def test_a_mute_agent_is_waited_for(agent: MemoryAgent, execs: GuestExecs) -> None:
    agent.output, agent.quick = (b"all", b""), 4
    mute = GuestError("mute", reason="AgentTimeout")
    agent.failures = {"guest-exec-status": [mute, mute], "guest-file-read": [mute, mute, mute]}
    assert await everything(await execs.start(*HERE, LS, stdin())) == [
        ExecFrame("stdout", b"all"),
        ExecFrame("exit", exit_code=4),
    ]


async def test_an_agent_that_goes_leaves_a_trace(agent: MemoryAgent, execs: GuestExecs) -> None:
    session = await execs.start(*HERE, LS, stdin())
    agent.set_connected(False)
    with pytest.raises(GuestError) as caught:
        await everything(session)
    assert caught.value.reason == "AgentNotConnected"
    session.let_go()
    await session.close()
    (item,) = await execs.list(*HERE)
    assert (item["id"], item["state"]) == (session.id, "unknown")
    agent.set_connected(True)
    agent.directories.discard(agent_exec.folder(session.id))
    with pytest.raises(NotFound, match="started anew"):
        await execs.attach(*HERE, session.id)
    assert await execs.list(*HERE) == []


async def test_a_program_that_was_killed_from_inside(agent: MemoryAgent, execs: GuestExecs) -> None:
    session = await execs.start(*HERE, LS, stdin())
    agent.programs.clear()
    agent._statuses.clear()
    with pytest.raises(GuestError, match="lost"):
        await everything(session)


async def test_long_stdin_goes_through_a_file(
    agent: MemoryAgent, execs: GuestExecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_exec, "INLINE_INPUT", 5)
    agent.quick = 0
    session = await execs.start(*HERE, LS, stdin(b"1234", b"56", b"7", b"89"))
    assert agent.programs[agent_exec.folder(session.id)].stdin == b"123456789"
    await everything(session)
    await settled(execs)
    assert (agent.files, agent.handles) == ({}, {})


async def test_a_client_that_goes_during_its_stdin(
    agent: MemoryAgent, execs: GuestExecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_exec, "INLINE_INPUT", 1)

    async def broken() -> AsyncIterator[bytes]:
        yield b"1234"
        raise BadRequest("went away")

    with pytest.raises(BadRequest):
        await execs.start(*HERE, LS, broken())
    await settled(execs)
    assert (agent.files, agent.handles, agent.programs, await execs.list(*HERE)) == ({}, {}, {}, [])


async def test_guests_without_a_shell(lab: Lab, agent: MemoryAgent, execs: GuestExecs) -> None:
    agent.shell, agent.quick, agent.output = False, 5, (b"o", b"e")
    session = await execs.start(*HERE, LS, stdin(b"x"))
    assert session.id == ""
    session.let_go()
    assert await everything(session) == [
        ExecFrame("stdout", b"o"),
        ExecFrame("stderr", b"e"),
        ExecFrame("exit", exit_code=5),
    ]
    with pytest.raises(BadRequest, match="cannot be left alone"):
        await execs.start(*HERE, StreamRequest(("x",), detach=True), stdin())
    assert await execs.list(*HERE) == []


async def test_not_too_many(agent: MemoryAgent, execs: GuestExecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_exec, "KEPT", 1)
    await execs.start(*HERE, StreamRequest(("x",), detach=True), stdin())
    with pytest.raises(Conflict, match="remembered already"):
        await execs.start(*HERE, LS, stdin())


async def test_refusals(lab: Lab, agent: MemoryAgent, execs: GuestExecs) -> None:
    with pytest.raises(BadRequest, match="at least one word"):
        await execs.start(*HERE, StreamRequest(()), stdin())
    with pytest.raises(NotFound):
        await execs.start("default", "nobody", LS, stdin())
    agent.failures["guest-exec"] = [GuestError("mute", reason="AgentTimeout")]
    with pytest.raises(GuestError, match="mute"):
        await execs.start(*HERE, LS, stdin())
    assert len(execs._records.of(lab.vmi().metadata.uid)) == 1, "it may have been started all the same"
    assert await execs.list(*HERE) == []
    agent.failures["guest-exec"] = [GuestError("disabled", reason="CommandDisabled")]
    with pytest.raises(GuestError, match="disabled"):
        await execs.start(*HERE, LS, stdin())
    assert await execs.list(*HERE) == []
    agent.set_connected(False)
    with pytest.raises(Conflict):
        await execs.start(*HERE, LS, stdin())


async def test_nothing_is_remembered_of_a_machine_that_is_gone(lab: Lab, agent: MemoryAgent, execs: GuestExecs) -> None:
    await execs.start(*HERE, StreamRequest(("x",), detach=True), stdin())
    assert lab.objects.records.list("execs")
    await lab.objects.delete(VMS, *HERE, grace_period=0)
    await lab.settle()
    assert lab.objects.records.list("execs") == {}


async def test_a_frozen_guest_is_waited_for(
    agent: MemoryAgent, execs: GuestExecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solovirt.hypervisor.agent_files.FROZEN_PAUSE", 0.01)
    agent.output = (b"o", b"")
    session = await execs.start(*HERE, LS, stdin())
    agent.frozen = True
    following = asyncio.create_task(everything(session))
    await asyncio.sleep(0.05)
    assert not following.done()
    agent.frozen = False
    agent.programs[agent_exec.folder(session.id)].code = 6
    assert await following == [ExecFrame("stdout", b"o"), ExecFrame("exit", exit_code=6)]
