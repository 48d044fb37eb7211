"""A VMI's status out of what its machine is and says: phases, conditions, disks, interfaces. Pure.

Source: kubevirt pkg/virt-handler/vm.go, pkg/virt-controller/watch/vmi.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from solovirt.api.kubevirt.spec.compute import Machine
from solovirt.api.kubevirt.virtualmachineinstance import (
    ClaimInfo,
    CPUTopology,
    InterfaceStatus,
    MemoryStatus,
    PhaseTransition,
    VirtualMachineInstance,
    VirtualMachineInstanceStatus,
)
from solovirt.api.meta import Condition, remove_condition, set_condition
from solovirt.controllers.vmi.agent import Snapshot
from solovirt.controllers.vmi.interfaces import merge
from solovirt.controllers.vmi.live.concern import NOTHING, Report
from solovirt.controllers.vmi.qos import qos_class
from solovirt.controllers.vmi.volume_status import volumes
from solovirt.host.model.bindings import NetworkBinding, Pins
from solovirt.host.model.facts import HostFacts
from solovirt.hypervisor.model import RunState

PENDING, SCHEDULING, SCHEDULED, RUNNING = "Pending", "Scheduling", "Scheduled", "Running"
SUCCEEDED, FAILED = "Succeeded", "Failed"
FINAL = (SUCCEEDED, FAILED)
_LIVE = (
    "AgentVersionNotSupported",
    "AccessCredentialsSynchronized",
    "HotVCPUChange",
    "HotMemoryChange",
    "VolumesChange",
    "NetworkChange",
    "DevicesChange",
)
"""Conditions beside the usual ones that only a running machine has."""
_WAY = ("", PENDING, SCHEDULING, SCHEDULED, RUNNING)

POD_SCHEDULED, UNSCHEDULABLE = "PodScheduled", "Unschedulable"
NOT_READY = Condition(
    type="Ready",
    status="False",
    reason="ContainersNotReady",
    message="containers with unready status: [compute]",
)
"""What a pod says whose readiness probe fails, which KubeVirt passes on."""
NOT_RUNNING = Condition(
    type="Ready", status="False", reason="GuestNotRunning", message="Guest VM is not reported as running"
)


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a machine that runs. ``runtime_user`` is the user id of its QEMU, ``ready`` what its readiness
    probe says (None: there is none), ``extra`` conditions that others have found, ``sizes`` those of its volumes.
    """

    facts: HostFacts
    state: RunState
    pins: Pins
    networks: Mapping[str, NetworkBinding] = field(default_factory=dict)
    agent_connected: bool = False
    snapshot: Snapshot | None = None
    runtime_user: int = 0
    ready: bool | None = None
    extra: tuple[Condition, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    vsock_cid: int = 0
    live: Report = NOTHING
    """What has changed, or should, since it was started."""
    claims: Mapping[str, ClaimInfo] = field(default_factory=dict)
    """Those that its volumes are on, by name."""


def with_ready(view: View, ready: bool | None) -> View:
    return replace(view, ready=ready)


def set_phase(status: VirtualMachineInstanceStatus, phase: str, now: str) -> bool:
    """Moves to a phase and notes when; phases skipped on the way to it get the same time. Never back."""
    if status.phase == phase or status.phase in FINAL:
        return False
    steps = [phase]
    if phase in _WAY and status.phase in _WAY:
        steps = list(_WAY[_WAY.index(status.phase) + 1 : _WAY.index(phase) + 1])
    for step in steps:
        status.phase = step
        status.phase_transition_timestamps.append(PhaseTransition(phase=step, phase_transition_timestamp=now))
    return bool(steps)


def has_begun(vmi: VirtualMachineInstance) -> bool:
    """Whether its machine has been let go once."""
    return vmi.status.phase in (RUNNING, *FINAL)


def unschedulable(status: VirtualMachineInstanceStatus, message: str, now: str) -> None:
    """This host, the only node, cannot take it."""
    wait(status, SCHEDULING, "", "", now)
    problem = Condition(type=POD_SCHEDULED, status="False", reason=UNSCHEDULABLE, message=message)
    set_condition(status.conditions, problem, now)


def wait(status: VirtualMachineInstanceStatus, phase: str, reason: str, message: str, now: str) -> None:
    """Not running yet, because of ``reason`` ("" if it is only a matter of time)."""
    set_phase(status, phase, now)
    remove_condition(status.conditions, POD_SCHEDULED)
    set_condition(status.conditions, _copy(NOT_RUNNING), now)
    if reason:
        problem = Condition(type="Synchronized", status="False", reason=reason, message=message)
        set_condition(status.conditions, problem, now)
    else:
        remove_condition(status.conditions, "Synchronized")


def data_volumes(status: VirtualMachineInstanceStatus, problem: str, now: str) -> None:
    """DataVolumesReady: ``problem`` is empty when all are."""
    ready = Condition(
        type="DataVolumesReady", status="True", reason="AllDVsReady", message="All of the VMI's DVs are bound and ready"
    )
    if problem:
        ready = Condition(type="DataVolumesReady", status="False", reason="NotAllDVsReady", message=problem)
    set_condition(status.conditions, ready, now)


def finish(status: VirtualMachineInstanceStatus, phase: str, reason: str, now: str) -> None:
    """The machine has ended; ``reason`` is a word for ``status.reason``, or empty."""
    if set_phase(status, phase, now):
        status.reason = reason
    set_condition(status.conditions, _copy(NOT_RUNNING), now)
    for kind in ("AgentConnected", "Paused", "Synchronized", POD_SCHEDULED, *_LIVE):
        remove_condition(status.conditions, kind)
    status.fs_freeze_status = ""


def run(vmi: VirtualMachineInstance, view: View, now: str) -> None:
    """Writes into ``vmi.status`` what the running machine is."""
    status = vmi.status
    set_phase(status, RUNNING, now)
    status.node_name = view.facts.node_name
    status.runtime_user = view.runtime_user
    status.machine = Machine(type=view.pins.machine)
    _describe(vmi, view.live)
    status.interfaces = merge(domain_interfaces(vmi, view), view.snapshot.interfaces if view.snapshot else ())
    status.volume_status = volumes(vmi, view.sizes, view.live.volumes, view.claims)
    status.qos_class = qos_class(vmi.spec)
    status.vsock_cid = view.vsock_cid
    remove_condition(status.conditions, POD_SCHEDULED)
    if view.snapshot is not None:
        status.guest_os_info = view.snapshot.os
    status.fs_freeze_status = view.snapshot.freeze if view.snapshot is not None else ""
    for condition in _conditions(view):
        set_condition(status.conditions, condition, now)
    wanted = {condition.type for condition in _conditions(view)}
    for kind in ("Paused", "AgentConnected", "SoftwareEmulation", *_LIVE):
        if kind not in wanted:
            remove_condition(status.conditions, kind)


def _describe(vmi: VirtualMachineInstance, live: Report) -> None:
    """CPUs and memory: what is plugged where that is known, else what the machine was started with."""
    status, domain = vmi.status, vmi.spec.domain
    cpu = domain.cpu
    if live.topology is not None:
        status.current_cpu_topology = live.topology
    elif cpu is not None and status.current_cpu_topology is None:
        status.current_cpu_topology = CPUTopology(
            cores=cpu.cores or 1, sockets=cpu.sockets or 1, threads=cpu.threads or 1
        )
    if live.memory is not None:
        status.memory = live.memory
    elif domain.memory is not None and domain.memory.guest is not None and status.memory is None:
        guest = domain.memory.guest
        status.memory = MemoryStatus(guest_at_boot=guest, guest_current=guest, guest_requested=guest)


def _conditions(view: View) -> list[Condition]:
    found = [
        _copy(NOT_READY) if view.ready is False else Condition(type="Ready", status="True"),
        Condition(type="Synchronized", status="True"),
        *(_copy(condition) for condition in (*view.extra, *view.live.conditions)),
    ]
    if view.agent_connected:
        found.append(Condition(type="AgentConnected", status="True"))
    if view.facts.accel == "tcg":
        message = view.facts.accel_reason or "KVM is not used"
        found.append(Condition(type="SoftwareEmulation", status="True", reason="KVMNotUsable", message=message))
    paused = _paused(view.state)
    return [*found, paused] if paused is not None else found


def _paused(state: RunState) -> Condition | None:
    match state:
        case RunState.PAUSED | RunState.PRELAUNCH:
            reason, message = "PausedByUser", "VMI was paused by user"
        case RunState.IO_ERROR:
            reason, message = "PausedIOError", "VMI was paused, low-level IO error detected"
        case RunState.SUSPENDED:
            reason, message = "Suspended", "The guest suspended itself to RAM; `solovirt guest wakeup` wakes it up"
        case RunState.INTERNAL_ERROR | RunState.WATCHDOG:
            reason, message = "PausedByHypervisor", f"QEMU reports the state {state.value}"
        case _:
            return None
    return Condition(type="Paused", status="True", reason=reason, message=message)


def domain_interfaces(vmi: VirtualMachineInstance, view: View) -> list[InterfaceStatus]:
    """What we know without the guest: addresses that we gave. Those that are plugged in, where that is known."""
    interfaces, links = vmi.spec.domain.devices.interfaces, view.live.nics
    if links is None:
        return [
            _interface(nic.name, view, "down" if nic.state == "down" else "up", nic.mac_address)
            for nic in interfaces
            if nic.state != "absent"
        ]
    given = {nic.name: nic.mac_address for nic in interfaces}
    return [_interface(name, view, link, given.get(name, "")) for name, link in links.items()]


def _interface(name: str, view: View, link: str, mac: str) -> InterfaceStatus:
    network = view.networks.get(name)
    address = network.dhcp_start if network is not None and network.kind == "user" else ""
    return InterfaceStatus(
        name=name,
        mac=view.pins.macs.get(name, mac),
        ip_address=address,
        ip_addresses=[address] if address else [],
        info_source="domain",
        queue_count=1,
        link_state=link,
    )


def _copy(condition: Condition) -> Condition:
    return Condition(type=condition.type, status=condition.status, reason=condition.reason, message=condition.message)
