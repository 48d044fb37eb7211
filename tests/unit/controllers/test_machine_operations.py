from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.features import Features, FeatureState
from solovirt.controllers import guest_clock
from solovirt.controllers.machine_operations import MachineOperations
from solovirt.hypervisor import screen
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import BadRequest, Conflict, Forbidden, GuestError, NotFound, SolovirtError, Unavailable
from solovirt.kit.json import Json, JsonObject
from tests.support.fakeqemu import SCHEMA
from tests.unit.controllers.lab import FakeInstance, Lab, spec, vm

HERE = ("default", "vm")
VMI = "virtualmachineinstance.kubevirt.io"


@pytest.fixture
async def machine(lab: Lab) -> AsyncIterator[FakeInstance]:
    await lab.create("Always")
    made = lab.host.machine
    made.replies["query-qmp-schema"] = list(SCHEMA)
    yield made


def operations(lab: Lab) -> MachineOperations:
    return lab.manager.operations.machine


def failing(machine: FakeInstance, name: str, error: SolovirtError) -> None:
    """An agent that answers everything but one command."""

    async def command(given: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        machine.agent.commands.append(given)
        if given == name:
            raise error
        return {}

    machine.agent.command = command  # type: ignore[method-assign]


async def reasons(lab: Lab) -> list[str]:
    await lab.settle()
    return lab.reasons()


async def test_nothing_runs(lab: Lab) -> None:
    await lab.create("Halted")
    for asked in (operations(lab).pause, operations(lab).reset, operations(lab).soft_reboot, operations(lab).nmi):
        with pytest.raises(NotFound):
            await asked(*HERE)


async def test_pausing_twice(lab: Lab, machine: FakeInstance) -> None:
    await operations(lab).pause(*HERE, dry_run=True)
    assert machine.run_state is RunState.RUNNING
    await operations(lab).pause(*HERE)
    with pytest.raises(Conflict, match="already paused"):
        await operations(lab).pause(*HERE)


async def test_unpausing_does_not_wait_for_the_clock(lab: Lab, machine: FakeInstance) -> None:
    machine.connect_agent()
    await operations(lab).pause(*HERE)
    gate = asyncio.Event()

    async def slow(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        machine.agent.commands.append(name)
        await gate.wait()
        return {}

    machine.agent.command = slow  # type: ignore[method-assign]
    async with asyncio.timeout(60):
        await operations(lab).unpause(*HERE)
    await asyncio.sleep(0)
    assert machine.run_state is RunState.RUNNING and "guest-set-time" in machine.agent.commands
    assert guest_clock.REINJECTION not in machine.calls
    gate.set()
    await operations(lab).clocks.wait()
    assert guest_clock.REINJECTION in machine.calls
    with pytest.raises(Conflict, match="not paused"):
        await operations(lab).unpause(*HERE)


async def test_a_dump_is_not_disturbed(lab: Lab, machine: FakeInstance) -> None:
    machine.run_state = RunState.SAVE_VM
    for asked in (operations(lab).pause, operations(lab).unpause, operations(lab).reset):
        with pytest.raises(Conflict, match="a memory dump is under way"):
            await asked(*HERE)


async def test_rebooting_by_the_agent(lab: Lab, machine: FakeInstance) -> None:
    machine.connect_agent()
    await operations(lab).soft_reboot(*HERE)
    assert "guest-shutdown" in machine.agent.commands and "powerdown" not in machine.calls


@pytest.mark.parametrize("reason", ["AgentTimeout", "CommandDisabled"])
async def test_rebooting_when_the_agent_does_not(lab: Lab, machine: FakeInstance, reason: str) -> None:
    machine.connect_agent()
    lab.host.deaf = True
    failing(machine, "guest-shutdown", GuestError("no", reason=reason))
    await operations(lab).soft_reboot(*HERE)
    assert "powerdown" in machine.calls


async def test_an_agent_that_ends_before_it_answers(lab: Lab, machine: FakeInstance) -> None:
    machine.connect_agent()

    async def gone(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        machine.agent.connected = False
        raise GuestError("closed", reason="AgentNotConnected")

    machine.agent.command = gone  # type: ignore[method-assign]
    await operations(lab).soft_reboot(*HERE)
    assert "powerdown" not in machine.calls


async def test_a_machine_that_ends_is_no_reboot(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.connect_agent()

    async def gone(name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        machine.agent.connected = False
        raise GuestError("closed", reason="AgentNotConnected")

    async def status() -> RunState:
        raise Unavailable("QEMU's monitor is not connected")

    machine.agent.command = gone  # type: ignore[method-assign]
    monkeypatch.setattr(machine, "status", status)
    with pytest.raises(Unavailable):
        await operations(lab).soft_reboot(*HERE)


async def test_no_way_to_reboot(lab: Lab) -> None:
    made = vm("Always")
    made.spec.template.spec = spec()
    made.spec.template.spec.domain.features = Features(acpi=FeatureState(enabled=False))
    await lab.objects.create(registry.VIRTUAL_MACHINES, made)
    await lab.settle()
    with pytest.raises(Conflict) as caught:
        await operations(lab).soft_reboot(*HERE)
    text = "VMI neither have the agent connected nor the ACPI feature enabled"
    assert caught.value.message == f'Operation cannot be fulfilled on {VMI} "vm": {text}'
    machine = lab.host.machine
    machine.connect_agent()
    failing(machine, "guest-shutdown", GuestError("no", reason="CommandDisabled"))
    with pytest.raises(GuestError):
        await operations(lab).soft_reboot(*HERE)
    await operations(lab).pause(*HERE)
    with pytest.raises(Conflict, match="VMI is paused"):
        await operations(lab).soft_reboot(*HERE)


async def test_reset(lab: Lab, machine: FakeInstance) -> None:
    await operations(lab).reset(*HERE)
    assert machine.calls[-1] == "system_reset" and "Reset" in await reasons(lab)


async def test_reset_of_one_that_sleeps(lab: Lab, machine: FakeInstance) -> None:
    machine.run_state = RunState.SUSPENDED
    await operations(lab).reset(*HERE)
    assert machine.calls[-2:] == ["wakeup", "system_reset"]


async def test_reset_of_what_does_not_run(lab: Lab) -> None:
    lab.host.prepare_gate = asyncio.Event()
    await lab.create("Always")
    with pytest.raises(BadRequest, match="Failed to reset non-running VMI with phase Schedul"):
        await operations(lab).reset(*HERE)
    with pytest.raises(BadRequest, match="VMI is not running"):
        await operations(lab).screenshot(*HERE)
    lab.host.prepare_gate.set()


async def test_nmi(lab: Lab, machine: FakeInstance) -> None:
    await operations(lab).nmi(*HERE)
    assert machine.calls[-1] == "inject-nmi" and "NMI" in await reasons(lab)
    await operations(lab).pause(*HERE)
    with pytest.raises(Conflict, match="paused"):
        await operations(lab).nmi(*HERE)


async def test_keys(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[JsonObject] = []

    async def qmp(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        sent.append(arguments or {})
        return {}

    monkeypatch.setattr(machine, "qmp", qmp)
    before = await reasons(lab)
    await operations(lab).send_keys(*HERE, ["ctrl-a", "esc"], text="B", hold=0.001)
    pressed = [[key["data"] for key in cast(list[JsonObject], one["keys"])] for one in sent]
    assert pressed == [["ctrl", "a"], ["esc"], ["shift", "b"]] and sent[0]["hold-time"] == 1
    assert await reasons(lab) == before, "what is typed may be a password"


@pytest.mark.parametrize(
    ("keys", "text", "hold", "message"),
    [
        ([], "", 0.02, "at least one key"),
        (["a"], "", 0, "holdTime"),
        (["a"], "", 11, "holdTime"),
        (["a"] * 257, "", 0.02, "at most 256"),
        ([], "a" * 2049, 0.02, "2048 characters"),
        (["a", "nokey"], "", 0.02, "unknown key 'nokey'"),
    ],
)
async def test_keys_that_are_none(
    lab: Lab, machine: FakeInstance, keys: list[str], text: str, hold: float, message: str
) -> None:
    with pytest.raises(BadRequest, match=message):
        await operations(lab).send_keys(*HERE, keys, text=text, hold=hold)
    assert "send-key" not in machine.calls, "all or nothing"


async def test_screenshots(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def wiggle(instance: object) -> None:
        done.append("wiggle")

    async def picture(instance: object) -> bytes:
        done.append("picture")
        return b"png"

    monkeypatch.setattr(screen, "wiggle", wiggle)
    monkeypatch.setattr(screen, "picture", picture)
    assert await operations(lab).screenshot(*HERE) == b"png"
    await operations(lab).screenshot(*HERE, move_cursor=True)
    await operations(lab).pause(*HERE)
    await operations(lab).screenshot(*HERE, move_cursor=True)
    assert done == ["picture", "wiggle", "picture", "picture"], "a guest that stands still has no pointer to move"


async def test_no_screen(lab: Lab) -> None:
    made = vm("Always")
    made.spec.template.spec = spec()
    made.spec.template.spec.domain.devices.autoattach_graphics_device = False
    await lab.objects.create(registry.VIRTUAL_MACHINES, made)
    await lab.settle()
    with pytest.raises(BadRequest, match=r"No graphics devices are present\."):
        await operations(lab).screenshot(*HERE)


async def test_the_monitor(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.replies["query-status"] = {"running": True}
    before = await reasons(lab)
    assert await operations(lab).qmp(*HERE, "query-status", {}) == {"running": True}
    assert await reasons(lab) == before, "questions are free"
    with pytest.raises(BadRequest, match="has to be confirmed") as unconfirmed:
        await operations(lab).qmp(*HERE, "system_wakeup", {})
    assert "--yes" in unconfirmed.value.hint and "system_wakeup" not in machine.calls
    with pytest.raises(Forbidden, match="connection between solovirt and QEMU"):
        await operations(lab).qmp(*HERE, "getfd", {"fdname": "x"}, confirmed=True)
    assert "getfd" not in machine.calls and "MonitorCommandRefused" in await reasons(lab)
    await operations(lab).qmp(*HERE, "set_password", {"protocol": "vnc", "password": "geheim"}, confirmed=True)
    monkeypatch.setattr(machine, "qmp", _refusing)
    with pytest.raises(GuestError):
        await operations(lab).qmp(*HERE, "device_del", {"id": "x"}, confirmed=True)
    await lab.settle()
    told = [(e.reason, e.message) for e in lab.objects.list(registry.EVENTS).items if e.reason.startswith("Monitor")]
    assert ("MonitorCommand", "set_password protocol=vnc password=***") in told
    assert ("MonitorCommandFailed", "device_del id=x: no such device") in told
    assert "geheim" not in str(told)


async def _refusing(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
    raise GuestError("no such device", reason="DeviceNotFound")
