"""Records of programs, and sessions in guests without a shell; sessions that are followed: test_guest_exec."""

from __future__ import annotations

from solovirt.controllers.exec_sessions import ExecFrame, ExecRecord, ExecRecords, PlainSession
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
