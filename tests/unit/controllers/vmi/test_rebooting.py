from __future__ import annotations

import time

import pytest

from solovirt.controllers.vmi import rebooting
from solovirt.controllers.vmi.rebooting import Reboots
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import TimedOut
from solovirt.kit.json import Json, JsonObject
from tests.unit.controllers.lab import FakeInstance, Lab


@pytest.fixture
async def machine(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> FakeInstance:
    await lab.create("Always")
    made = lab.host.machine

    async def qmp(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        made.calls.append(command)
        if command == "system_reset":
            made.run_state = RunState.PRELAUNCH
        return {}

    monkeypatch.setattr(made, "qmp", qmp)
    monkeypatch.setattr(rebooting, "LOOK", 0.001)
    return made


def reboots(lab: Lab) -> Reboots:
    return lab.manager._vmis.reboots


async def press(lab: Lab, machine: FakeInstance) -> None:
    await reboots(lab).press(machine)  # type: ignore[arg-type]
    await lab.settle()


async def test_a_guest_that_powers_off_is_started_again(lab: Lab, machine: FakeInstance) -> None:
    await press(lab, machine)
    assert [call for call in machine.calls if call != "qom-list"] == ["powerdown", "system_reset", "resume"]
    assert lab.vmi().status.phase == "Running" and lab.host.machine is machine, "the same machine and VMI"
    assert not reboots(lab).is_due(machine.uid) and "Rebooted" in lab.reasons()
    machine.power_off()
    await lab.settle()
    assert machine.has_exited, "the next power-off is one"


async def test_the_next_daemon_finishes_it(lab: Lab, machine: FakeInstance) -> None:
    lab.host.deaf = True
    await press(lab, machine)
    assert reboots(lab).is_due(machine.uid)
    await lab.manager.stop()
    machine.power_off()
    lab.manager = lab._manager()
    await lab.start()
    assert lab.vmi().status.phase == "Running" and machine.run_state is RunState.RUNNING
    assert "system_reset" in machine.calls


async def test_one_that_did_not_hear_the_button(lab: Lab, machine: FakeInstance) -> None:
    lab.host.deaf = True
    await press(lab, machine)
    record = rebooting.RebootRecord(time.clock_gettime(time.CLOCK_BOOTTIME) - 1)
    await lab.objects.records.put(rebooting.REBOOTS, machine.uid, rebooting.json.encode(record))
    machine.power_off()
    await lab.settle()
    assert "system_reset" not in machine.calls and machine.has_exited


async def test_a_machine_that_is_being_deleted_is_not_started_again(lab: Lab, machine: FakeInstance) -> None:
    lab.host.deaf = True
    await press(lab, machine)
    await lab.manager.operations.stop("default", "vm")
    await lab.settle()
    machine.power_off()
    await lab.pass_(40)
    assert lab.find_vmi() is None and "system_reset" not in machine.calls
    assert lab.objects.records.list(rebooting.REBOOTS) == {}


async def test_a_record_that_makes_no_sense(lab: Lab, machine: FakeInstance) -> None:
    await lab.objects.records.put(rebooting.REBOOTS, machine.uid, b"{")
    assert not reboots(lab).is_due(machine.uid)
    await reboots(lab).forget(machine.uid)
    await reboots(lab).forget(machine.uid)
    assert lab.objects.records.list(rebooting.REBOOTS) == {}


async def test_qemu_that_does_not_reset(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        return {}

    monkeypatch.setattr(machine, "qmp", nothing)
    monkeypatch.setattr(rebooting, "RESET_PATIENCE", 0.02)
    machine.run_state = RunState.SHUTDOWN
    with pytest.raises(TimedOut, match="it is shutdown"):
        await reboots(lab).finish(lab.vmi(), machine)  # type: ignore[arg-type]
