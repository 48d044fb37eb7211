from __future__ import annotations

import pytest

from solovirt.api.cdi.datavolume import DataVolume, DataVolumeSpec
from solovirt.api.kubevirt.virtualmachine import StartFailure, StateChangeRequest
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import Condition, find_condition
from solovirt.controllers.vm.status import Failure, World, compute, data_volume_failed, printable_status
from tests.unit.controllers.lab import lone_vmi, vm

NOW = "2026-01-02T03:04:05Z"


def vmi(phase: str, *conditions: Condition, deleting: bool = False) -> VirtualMachineInstance:
    made = lone_vmi()
    made.metadata.uid = "1"
    made.status.phase = phase
    made.status.conditions = list(conditions)
    if deleting:
        made.metadata.deletion_timestamp = NOW
    return made


def unsynchronized(reason: str) -> Condition:
    return Condition(type="Synchronized", status="False", reason=reason)


def volume(phase: str) -> DataVolume:
    made = DataVolume(spec=DataVolumeSpec())
    made.status.phase = phase
    return made


PAUSED = Condition(type="Paused", status="True")


@pytest.mark.parametrize(
    ("world", "text"),
    [
        (World(vm("Halted"), None), "Stopped"),
        (World(vm("Manual"), vmi("Succeeded")), "Stopped"),
        (World(vm(), None), "Starting"),
        (World(vm(), vmi("")), "Starting"),
        (World(vm(), vmi("Scheduled")), "Starting"),
        (World(vm(), vmi("Running")), "Running"),
        (World(vm(), vmi("Running", PAUSED)), "Paused"),
        (World(vm(), vmi("Running", PAUSED, deleting=True)), "Stopping"),
        (World(vm("Halted"), vmi("Running")), "Stopping"),
        (World(vm(), vmi("Pending", unsynchronized("FailedPvcNotFound"))), "ErrorPvcNotFound"),
        (World(vm(), vmi("Scheduling", unsynchronized("ErrImagePull"))), "ErrImagePull"),
        (World(vm(), vmi("Scheduling", unsynchronized("ImagePullBackOff"))), "ImagePullBackOff"),
        (World(vm(), None, [volume("Failed")]), "DataVolumeError"),
        (World(vm(), None, [None]), "Provisioning"),
        (World(vm(), None, [volume("ImportInProgress")]), "Provisioning"),
        (World(vm(), None, [volume("Succeeded")]), "Starting"),
        (World(vm(), None, unbound_claim=True), "WaitingForVolumeBinding"),
        (World(vm("Halted"), None, unbound_claim=True), "Stopped"),
        (World(vm(), vmi("Unknown")), "Unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_printable_status(world: World, text: str) -> None:
    assert printable_status(world) == text


def test_crash_loop() -> None:
    failed = vm()
    failed.status.start_failure = StartFailure(consecutive_fail_count=2)
    assert printable_status(World(failed, None, backing_off=True)) == "CrashLoopBackOff"
    assert printable_status(World(failed, vmi("Failed"))) == "CrashLoopBackOff"
    assert printable_status(World(failed, None)) == "Starting", "the time is over"
    assert printable_status(World(failed, vmi("Running"))) == "Running"


def test_terminating_comes_first() -> None:
    going = vm()
    going.metadata.deletion_timestamp = NOW
    assert printable_status(World(going, vmi("Running", PAUSED))) == "Terminating"


def test_a_requested_stop_shows() -> None:
    asked = vm()
    asked.status.state_change_requests = [StateChangeRequest(action="Stop", uid="1")]
    assert printable_status(World(asked, vmi("Running"))) == "Stopping"


def test_without_a_vmi() -> None:
    status = compute(World(vm("Halted"), None), NOW)
    ready = find_condition(status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason, ready.message) == ("False", "VMINotExists", "VMI does not exist")
    assert (status.created, status.ready) == (False, False)


def test_conditions_mirror_the_vmi() -> None:
    machine = vm()
    running = vmi("Running", Condition(type="Ready", status="True", last_transition_time=NOW), PAUSED)
    status = compute(World(machine, running), NOW)
    assert [(c.type, c.status) for c in status.conditions] == [("Ready", "True"), ("Paused", "True")]
    assert (status.created, status.ready) == (True, True)
    machine.status = status
    running.status.conditions.remove(PAUSED)
    assert find_condition(compute(World(machine, running), NOW).conditions, "Paused") is None


def test_failure_and_restart_required_come_and_go() -> None:
    machine = vm()
    world = World(machine, vmi("Running"), failure=Failure("FailedCreate", "no"), restart_required=True)
    machine.status = compute(world, NOW)
    failure = find_condition(machine.status.conditions, "Failure")
    assert failure is not None
    assert (failure.reason, failure.message) == ("FailedCreate", "no")
    restart = find_condition(machine.status.conditions, "RestartRequired")
    assert restart is not None
    assert restart.message == "a non-live-updatable field was changed in the template spec"
    after = compute(World(machine, vmi("Running")), NOW)
    assert [c.type for c in after.conditions] == ["Ready"]


def test_a_data_volume_that_failed() -> None:
    retrying = volume("ImportInProgress")
    retrying.status.conditions = [Condition(type="Running", status="False", reason="Error")]
    assert data_volume_failed(retrying)
    assert not data_volume_failed(volume("Succeeded"))
    assert not data_volume_failed(None)
