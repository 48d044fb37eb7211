from __future__ import annotations

from solovirt.controllers import guest_handles
from solovirt.controllers.guest_handles import GuestHandles
from solovirt.hypervisor.agent_files import GuestFile
from solovirt.kit.errors import GuestError
from tests.support.memoryagent import MemoryAgent
from tests.unit.controllers.lab import Lab


async def test_what_a_dead_daemon_left_open_is_closed_and_removed(lab: Lab) -> None:
    records, agent = lab.objects.records, MemoryAgent()
    one, two = [(await GuestFile.open(agent, path, "w")).handle for path in ("/etc/.x.partial", "/etc/y")]
    await GuestHandles(records, "uid", "/etc/.x.partial").opened(one)
    await GuestHandles(records, "uid").opened(two)
    await GuestHandles(records, "uid").opened(99)
    await records.put("agenthandles", "uid/nonsense", b"")
    left = guest_handles.stale(records)
    assert left == {"uid": {one: "/etc/.x.partial", two: "", 99: ""}}
    await guest_handles.close_stale(records, "uid", left["uid"], agent)
    assert agent.handles == {}
    assert list(agent.files) == ["/etc/y"]
    assert guest_handles.stale(records) == {}


async def test_an_agent_that_says_nothing_is_asked_again_later(lab: Lab) -> None:
    records, agent = lab.objects.records, MemoryAgent()
    agent.failures["guest-file-close"] = [GuestError("mute", reason="AgentTimeout")]
    await GuestHandles(records, "uid").opened(1)
    await guest_handles.close_stale(records, "uid", {1: ""}, agent)
    assert guest_handles.stale(records) == {"uid": {1: ""}}
    await GuestHandles(records, "uid").closed(1)
    assert guest_handles.stale(records) == {}
