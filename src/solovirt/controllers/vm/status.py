"""A VirtualMachine's status out of what is there: printableStatus, conditions, created, ready. Pure.

Source: kubevirt pkg/virt-controller/watch/vm/vm.go, ``setPrintableStatus`` and ``syncConditions``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solovirt.api.cdi.datavolume import DataVolume
from solovirt.api.kubevirt.virtualmachine import VirtualMachine, VirtualMachineStatus
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import Condition, find_condition, remove_condition, set_condition
from solovirt.controllers.vm import run_strategy
from solovirt.controllers.vm.run_strategy import AUTOMATIC, Life
from solovirt.kit.json import clone

OWN_CONDITIONS = ("Ready", "Failure", "RestartRequired")
"""Conditions of a VM that are not copies of its VMI's."""

IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff")
PVC_NOT_FOUND = "FailedPvcNotFound"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last reconciliation could not do what it should: an event reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class World:
    """What a VM's status depends on. ``data_volumes`` are those of its templates, None where one is not there yet."""

    vm: VirtualMachine
    vmi: VirtualMachineInstance | None
    data_volumes: Sequence[DataVolume | None] = ()
    unbound_claim: bool = False
    failure: Failure | None = None
    restart_required: bool = False
    backing_off: bool = False

    @property
    def life(self) -> Life | None:
        return Life.of(self.vmi)


def compute(world: World, now: str) -> VirtualMachineStatus:
    """The new status. ``stateChangeRequests``, ``startFailure`` and ``runStrategy`` are taken over as they are."""
    vm, vmi = world.vm, world.vmi
    status = clone(vm.status)
    status.created = vmi is not None
    status.conditions = _conditions(world, now)
    ready = find_condition(status.conditions, "Ready")
    status.ready = ready is not None and ready.status == "True"
    status.desired_generation = status.observed_generation = vm.metadata.generation
    status.printable_status = printable_status(world)
    return status


def printable_status(world: World) -> str:
    """The first that fits, in KubeVirt's order."""
    return next((name for name, fits in _ORDER if fits(world)), "Unknown")


def data_volume_failed(volume: DataVolume | None) -> bool:
    if volume is None:
        return False
    running = find_condition(volume.status.conditions, "Running")
    return volume.status.phase == "Failed" or (
        running is not None and running.status == "False" and running.reason == "Error"
    )


def _terminating(world: World) -> bool:
    return world.vm.metadata.deletion_timestamp is not None


def _stopping(world: World) -> bool:
    life = world.life
    return life is not None and not life.final and run_strategy.stop_expected(world.vm.spec, life, world.vm.status)


def _phase(world: World) -> str | None:
    return world.vmi.status.phase if world.vmi is not None else None


def _paused(world: World) -> bool:
    return _phase(world) == "Running" and _vmi_condition(world, "Paused") is not None


def _running(world: World) -> bool:
    return _phase(world) == "Running"


def _synchronized_reason(world: World) -> str:
    found = _vmi_condition(world, "Synchronized")
    return found.reason if found is not None and found.status == "False" else ""


def _vmi_condition(world: World, kind: str) -> Condition | None:
    return find_condition(world.vmi.status.conditions, kind) if world.vmi is not None else None


def _unschedulable(world: World) -> bool:
    found = _vmi_condition(world, "PodScheduled")
    return found is not None and (found.status, found.reason) == ("False", "Unschedulable")


def _provisioning(world: World) -> bool:
    return any(volume is None or volume.status.phase != "Succeeded" for volume in world.data_volumes)


def _waiting_for_binding(world: World) -> bool:
    return world.unbound_claim and (world.vmi is not None or _set_to_start(world))


def _set_to_start(world: World) -> bool:
    return run_strategy.is_set_to_start(world.vm.spec, world.vm.status)


def _starting(world: World) -> bool:
    if world.vmi is None:
        return _set_to_start(world) and not world.backing_off
    return _phase(world) in ("", "Pending", "Scheduling", "Scheduled")


def _crash_loop(world: World) -> bool:
    if world.vmi is not None and world.life is not None and not world.life.final:
        return False
    failure = world.vm.status.start_failure
    automatic = run_strategy.strategy_of(world.vm.spec) in AUTOMATIC
    return automatic and failure is not None and failure.consecutive_fail_count > 0


def _stopped(world: World) -> bool:
    return world.life is None or world.life.final


_ORDER: tuple[tuple[str, Callable[[World], bool]], ...] = (
    ("Terminating", _terminating),
    ("Stopping", _stopping),
    ("Paused", _paused),
    ("Running", _running),
    ("ErrorPvcNotFound", lambda world: _synchronized_reason(world) == PVC_NOT_FOUND),
    ("DataVolumeError", lambda world: any(data_volume_failed(volume) for volume in world.data_volumes)),
    ("ErrorUnschedulable", _unschedulable),
    ("Provisioning", _provisioning),
    ("WaitingForVolumeBinding", _waiting_for_binding),
    ("ErrImagePull", lambda world: _synchronized_reason(world) == "ErrImagePull"),
    ("ImagePullBackOff", lambda world: _synchronized_reason(world) == "ImagePullBackOff"),
    ("Starting", _starting),
    ("CrashLoopBackOff", _crash_loop),
    ("Stopped", _stopped),
)
"""Migrating and WaitingForReceiver have no cause on a single host yet."""


def _conditions(world: World, now: str) -> list[Condition]:
    conditions = clone(world.vm.status.conditions)
    mirrored = [clone(found) for found in world.vmi.status.conditions] if world.vmi is not None else []
    wanted = {found.type: found for found in mirrored if found.type not in OWN_CONDITIONS}
    for found in list(conditions):
        if found.type not in wanted and found.type not in OWN_CONDITIONS:
            conditions.remove(found)
    for found in wanted.values():
        remove_condition(conditions, found.type)
        conditions.append(found)
    set_condition(conditions, _ready(world), now)
    if world.failure is not None:
        reason, message = world.failure.reason, world.failure.message
        set_condition(conditions, Condition(type="Failure", status="True", reason=reason, message=message), now)
    else:
        remove_condition(conditions, "Failure")
    if world.restart_required:
        message = "a non-live-updatable field was changed in the template spec"
        set_condition(conditions, Condition(type="RestartRequired", status="True", message=message), now)
    else:
        remove_condition(conditions, "RestartRequired")
    return sorted(conditions, key=lambda found: (found.type not in OWN_CONDITIONS, found.type))


def _ready(world: World) -> Condition:
    if world.vmi is None:
        return Condition(type="Ready", status="False", reason="VMINotExists", message="VMI does not exist")
    found = _vmi_condition(world, "Ready")
    if found is None:
        message = "VMI is missing the Ready condition"
        return Condition(type="Ready", status="False", reason="VMIConditionMissing", message=message)
    return Condition(type="Ready", status=found.status, reason=found.reason, message=found.message)
