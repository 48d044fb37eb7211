"""What is asked of a guest's agent, and who is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from solovirt.api import registry
from solovirt.controllers.guest_operations import GuestOperations
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import BadRequest, Conflict, NotFound
from solovirt.kit.json import JsonObject
from tests.unit.controllers.lab import FakeAgent, Lab

HERE = ("default", "vm")


@dataclass(frozen=True)
class Request:
    command: tuple[str, ...] = ("cat", "-")
    env: tuple[str, ...] = ("A=b",)
    input: bytes = b"in"
    timeout: float = 5.0


def guest(lab: Lab) -> GuestOperations:
    return lab.manager.operations.guest


async def test_without_an_agent(lab: Lab) -> None:
    await lab.create("Always")
    for call in (guest(lab).guest_os_info, guest(lab).user_list, guest(lab).filesystem_list):
        with pytest.raises(Conflict, match="VMI does not have guest agent connected") as caught:
            await call(*HERE)
        assert "qemu-guest-agent" in caught.value.hint
        with pytest.raises(NotFound):
            await call("default", "x")
    with pytest.raises(Conflict):
        await guest(lab).guest_exec(*HERE, Request())


async def test_any_command(lab: Lab) -> None:
    await lab.create("Always")
    lab.host.machine.connect_agent()
    assert await guest(lab).agent_command(*HERE, "guest-ping", {}, timeout=3) == {"echo": "guest-ping"}


async def test_a_program_gets_what_was_asked_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    async def execute(self: FakeAgent, path: str, args: object, **more: object) -> ExecResult:
        asked.extend([path, args, more])
        return ExecResult(0, None, b"out", b"")

    monkeypatch.setattr(FakeAgent, "execute", execute, raising=False)
    await lab.create("Always")
    lab.host.machine.connect_agent()
    assert (await guest(lab).guest_exec(*HERE, Request())).stdout == b"out"
    assert asked == ["cat", ("-",), {"env": ("A=b",), "input_data": b"in", "timeout": 5.0}]
    with pytest.raises(BadRequest, match="at least one word") as caught:
        await guest(lab).guest_exec(*HERE, Request(command=()))
    assert caught.value.field == "command"


async def test_what_an_agent_is_told_is_in_no_log_and_no_event(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await lab.create("Always")
    lab.host.machine.connect_agent()
    told: JsonObject = {"username": "root", "password": "Z2VoZWlt", "crypted": False}
    await guest(lab).agent_command(*HERE, "guest-set-user-password", told, timeout=3)
    await lab.manager.operations.machine.send_keys(*HERE, ["g", "e"], text="heim")
    await lab.settle()
    events = "".join(event.message for event in lab.objects.list(registry.EVENTS).items)
    assert "Z2VoZWlt" not in caplog.text + events and "heim" not in caplog.text + events
    assert events, "there are some"
