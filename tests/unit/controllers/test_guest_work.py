from __future__ import annotations

from solovirt.controllers.guest_handles import GuestHandles
from solovirt.hypervisor.agent_files import GuestFile
from tests.support.memoryagent import MemoryAgent
from tests.unit.controllers.lab import Lab


async def test_the_next_daemon_closes_what_was_left_open(lab: Lab) -> None:
    await lab.create("Always")
    agent = MemoryAgent()
    lab.host.machine.agent = agent  # type: ignore[assignment]
    file = await GuestFile.open(agent, "/etc/.x.partial", "w")
    handles = GuestHandles(lab.objects.records, lab.vmi().metadata.uid, "/etc/.x.partial")
    await handles.opened(file.handle)
    await lab.restart()
    await lab.manager.operations.guest_work._tasks.wait()
    assert (agent.handles, agent.files, lab.objects.records.list("agenthandles")) == ({}, {}, {})


async def test_closing_twice(lab: Lab) -> None:
    await lab.manager.operations.guest_work.close()
    await lab.manager.operations.guest_work.close()
