from __future__ import annotations

import pytest

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstanceStatus
from solovirt.api.meta import find_condition
from solovirt.controllers.vmi import status
from solovirt.host import facts, network
from solovirt.host.model.bindings import Pins
from solovirt.hypervisor.model import RunState
from tests.unit.controllers.lab import lone_vmi

NOW, LATER = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"


def view(state: RunState = RunState.RUNNING, *, agent: bool = False) -> status.View:
    vmi = lone_vmi()
    pins = Pins(machine="pc-q35-7.2", macs={"default": "02:aa:00:00:00:01"})
    return status.View(
        facts=facts.load("qemu-7.2"),
        state=state,
        pins=pins,
        networks=network.bind(vmi),
        agent_connected=agent,
    )


def test_phases_that_were_skipped_are_noted() -> None:
    found = VirtualMachineInstanceStatus()
    assert status.set_phase(found, "Pending", NOW)
    assert status.set_phase(found, "Running", LATER)
    assert [(step.phase, step.phase_transition_timestamp) for step in found.phase_transition_timestamps] == [
        ("Pending", NOW),
        ("Scheduling", LATER),
        ("Scheduled", LATER),
        ("Running", LATER),
    ]


def test_no_phase_goes_back() -> None:
    found = VirtualMachineInstanceStatus(phase="Running")
    assert not status.set_phase(found, "Pending", NOW)
    assert status.set_phase(found, "Failed", NOW)
    assert not status.set_phase(found, "Running", NOW)
    assert not status.set_phase(found, "Succeeded", NOW)
    assert found.phase == "Failed"


def test_waiting_says_why() -> None:
    found = VirtualMachineInstanceStatus()
    status.wait(found, "Pending", "FailedMount", "secret missing", NOW)
    condition = find_condition(found.conditions, "Synchronized")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "FailedMount")
    status.wait(found, "Scheduling", "", "", NOW)
    assert find_condition(found.conditions, "Synchronized") is None
    assert status.NOT_RUNNING.last_transition_time is None, "the constant is not shared"


def test_finishing_keeps_the_first_reason() -> None:
    found = VirtualMachineInstanceStatus(phase="Running")
    status.finish(found, "Failed", "Crashed", NOW)
    status.finish(found, "Succeeded", "", LATER)
    assert (found.phase, found.reason) == ("Failed", "Crashed")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (RunState.RUNNING, None),
        (RunState.PAUSED, "PausedByUser"),
        (RunState.PRELAUNCH, "PausedByUser"),
        (RunState.IO_ERROR, "PausedIOError"),
        (RunState.INTERNAL_ERROR, "PausedByHypervisor"),
    ],
)
def test_paused(state: RunState, reason: str | None) -> None:
    vmi = lone_vmi()
    status.run(vmi, view(state), NOW)
    condition = find_condition(vmi.status.conditions, "Paused")
    assert (condition.reason if condition else None) == reason
    assert find_condition(vmi.status.conditions, "Ready") is not None


def test_conditions_that_end_are_removed() -> None:
    vmi = lone_vmi()
    status.run(vmi, view(RunState.PAUSED, agent=True), NOW)
    status.run(vmi, view(), LATER)
    kinds = {condition.type for condition in vmi.status.conditions}
    assert not kinds & {"Paused", "AgentConnected"}
    ready = find_condition(vmi.status.conditions, "Ready")
    assert ready is not None
    assert ready.last_transition_time == NOW


def test_addresses_that_we_gave() -> None:
    vmi = lone_vmi()
    (nic,) = status.domain_interfaces(vmi, view())
    assert (nic.mac, nic.ip_address, nic.ip_addresses) == ("02:aa:00:00:00:01", "10.0.2.2", ["10.0.2.2"])


def test_data_volumes() -> None:
    found = VirtualMachineInstanceStatus()
    status.data_volumes(found, "disk is Pending", NOW)
    status.data_volumes(found, "", NOW)
    condition = find_condition(found.conditions, "DataVolumesReady")
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "AllDVsReady")
