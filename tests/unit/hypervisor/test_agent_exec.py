from __future__ import annotations

import pytest

from solovirt.hypervisor import agent_exec
from solovirt.kit.errors import BadRequest, GuestError
from tests.support.memoryagent import MemoryAgent, failed

FOLDER = agent_exec.folder("0123456789abcdef")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nap(seconds: float) -> None:
        """No time."""

    monkeypatch.setattr("solovirt.hypervisor.agent_exec.asyncio.sleep", nap)


def test_ids() -> None:
    made = agent_exec.new_id()
    assert agent_exec.is_id(made)
    assert made != agent_exec.new_id()
    assert not any(
        agent_exec.is_id(text) for text in ("", "x" * 16, made + "0", made.upper() + "A", f"{made}\n", "../" * 4)
    )


async def test_a_program_and_its_end() -> None:
    agent = MemoryAgent()
    pid = await agent_exec.start(agent, FOLDER, ["ls", "-l"], env=["A=b"], input_data=b"in")
    program = agent.programs[FOLDER]
    assert (program.command, program.env, program.stdin) == (("ls", "-l"), ("A=b",), b"in")
    assert await agent_exec.ended(agent, pid) is None
    assert await agent_exec.states(agent, [FOLDER, "/tmp/other"]) == ["running", "gone"]
    program.code = 7
    assert await agent_exec.states(agent, [FOLDER]) == ["7"]
    assert await agent_exec.ended(agent, pid) == 7
    with pytest.raises(GuestError, match="does not exist"):
        await agent_exec.ended(agent, pid)
    await agent_exec.remove(agent, [FOLDER])
    assert agent.files == {}


async def test_stdin_that_lies_ready() -> None:
    agent = MemoryAgent()
    await agent_exec.prepare(agent, FOLDER)
    agent.files[f"{FOLDER}/in"] = bytearray(b"long")
    await agent_exec.start(agent, FOLDER, ["cat"], prepared=True)
    assert agent.programs[FOLDER].stdin == b"long"


async def test_nothing_to_look_at_asks_nothing() -> None:
    agent = MemoryAgent()
    assert await agent_exec.states(agent, []) == []
    await agent_exec.remove(agent, [])
    assert agent.commands == []


async def test_one_that_goes_by_itself_is_not_killed() -> None:
    agent = MemoryAgent()
    await agent_exec.start(agent, FOLDER, ["sleep"])
    await agent_exec.terminate(agent, FOLDER)
    assert agent.programs[FOLDER].signals == ["TERM"]
    await agent_exec.terminate(agent, FOLDER)
    assert agent.programs[FOLDER].signals == ["TERM"], "it is over"


async def test_a_stubborn_one_is_killed() -> None:
    agent = MemoryAgent()
    await agent_exec.start(agent, FOLDER, ["sleep"])
    agent.programs[FOLDER].stubborn = True
    await agent_exec.terminate(agent, FOLDER)
    assert agent.programs[FOLDER].signals == ["TERM", "KILL"]


async def test_no_shell_is_told_apart() -> None:
    with pytest.raises(GuestError) as caught:
        await agent_exec.start(MemoryAgent(shell=False), FOLDER, ["x"])
    assert agent_exec.has_no_shell(caught.value)
    assert not agent_exec.has_no_shell(failed("PID 7 does not exist"))
    assert not agent_exec.has_no_shell(GuestError("child process", reason="AgentTimeout"))


async def test_too_much_input() -> None:
    with pytest.raises(BadRequest, match="larger than"):
        await agent_exec.start(MemoryAgent(), FOLDER, ["x"], input_data=bytes(16 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ({"exited": False}, None),
        ({"exited": True, "exitcode": 3}, 3),
        ({"exited": True, "signal": 9}, 137),
        ({"exited": True, "exitcode": 125}, 125),
        ("nonsense", None),
    ],
)
async def test_how_scripts_end(monkeypatch: pytest.MonkeyPatch, status: object, result: int | None) -> None:
    agent = MemoryAgent()
    monkeypatch.setattr(agent, "_exec_status", lambda arguments: status)
    assert await agent_exec.ended(agent, 1) == result


@pytest.mark.parametrize(("err", "said"), [("bm8gc3BhY2UK", "no space"), ("%%", "not base64")])
async def test_a_script_that_failed_itself(monkeypatch: pytest.MonkeyPatch, err: str, said: str) -> None:
    agent = MemoryAgent()
    monkeypatch.setattr(agent, "_exec_status", lambda _: {"exited": True, "exitcode": 125, "err-data": err})
    with pytest.raises(GuestError, match=said):
        await agent_exec.ended(agent, 1)


@pytest.mark.parametrize("word", ["", "two words", "-1", "4096", "256", "\N{SUPERSCRIPT TWO}"])
async def test_states_are_the_guests_word(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    agent = MemoryAgent()
    monkeypatch.setattr(agent, "_state", lambda folder: word)
    try:
        assert await agent_exec.states(agent, [FOLDER]) == ["lost"]
    except GuestError as error:
        assert "cannot look after" in error.message
