"""VMIs over fakes: phases, conditions, ends, and daemons that die in between."""

from __future__ import annotations

import asyncio

import pytest

from solovirt.api import registry
from solovirt.api.core.configmap import ConfigMap
from solovirt.api.core.secret import Secret
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import CloudInitSource, ConfigMapSource, LocalObjectReference, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.controllers.vmi import reconciler
from solovirt.hypervisor import logfile
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import HostError
from tests.support.waiting import until
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, refused


async def run(lab: Lab, name: str = "lone", made: VirtualMachineInstance | None = None) -> VirtualMachineInstance:
    await lab.objects.create(VMIS, made or lone_vmi(name))
    await lab.settle()
    return lab.vmi(name)


def condition(vmi: VirtualMachineInstance, kind: str) -> tuple[str, str] | None:
    found = find_condition(vmi.status.conditions, kind)
    return (found.status, found.reason) if found is not None else None


async def test_a_lone_vmi_runs(lab: Lab) -> None:
    vmi = await run(lab)
    status = vmi.status
    assert [step.phase for step in status.phase_transition_timestamps] == [
        "Pending",
        "Scheduling",
        "Scheduled",
        "Running",
    ]
    assert vmi.metadata.finalizers == ["kubevirt.io/foregroundDeleteVirtualMachine"]
    assert vmi.metadata.labels["kubevirt.io/nodeName"] == status.node_name != ""
    assert condition(vmi, "Ready") == ("True", "")
    assert condition(vmi, "Synchronized") == ("True", "")
    assert condition(vmi, "SoftwareEmulation") is not None
    assert condition(vmi, "LiveMigratable") == ("False", "MigrationNotSupported")
    assert status.machine is not None
    assert status.machine.type.startswith("pc-q35-")
    (nic,) = status.interfaces
    assert (nic.name, nic.ip_address, nic.info_source) == ("default", "10.0.2.2", "domain")
    assert lab.reasons() == ["Created", "Started", "SoftwareEmulation"]


async def test_the_agent_is_asked_when_it_connects(lab: Lab) -> None:
    await run(lab)
    lab.host.machine.connect_agent()
    await until(lambda: lab.vmi("lone").status.guest_os_info is not None)
    await lab.settle()
    vmi = lab.vmi("lone")
    assert condition(vmi, "AgentConnected") == ("True", "")
    assert vmi.status.guest_os_info is not None
    assert vmi.status.guest_os_info.id == "tiny"
    assert [nic.info_source for nic in vmi.status.interfaces] == ["domain", "guest-agent"]
    lab.host.machine.agent.connected = False
    lab.host.tell(lab.host.machine, "agent-disconnected")
    await lab.settle()
    assert condition(lab.vmi("lone"), "AgentConnected") is None
    assert len(lab.vmi("lone").status.interfaces) == 1


async def test_pausing_shows(lab: Lab) -> None:
    await run(lab)
    await lab.host.machine.pause()
    await lab.settle()
    assert condition(lab.vmi("lone"), "Paused") == ("True", "PausedByUser")
    await lab.host.machine.resume()
    await lab.settle()
    assert condition(lab.vmi("lone"), "Paused") is None
    lab.host.machine.run_state = RunState.IO_ERROR
    lab.host.tell(lab.host.machine, "io-error", "virtio0: write failed: no space left")
    await lab.settle()
    assert condition(lab.vmi("lone"), "Paused") == ("True", "PausedIOError")
    assert "IOerror" in lab.reasons()


async def test_a_guest_that_powers_off_succeeds(lab: Lab) -> None:
    uid = (await run(lab)).metadata.uid
    lab.host.machine.power_off()
    await lab.settle()
    vmi = lab.vmi("lone")
    assert vmi.status.phase == "Succeeded"
    assert condition(vmi, "Ready") == ("False", "GuestNotRunning")
    assert not lab.host.alive
    assert lab.host.launched[0].calls == ["quit"]
    assert lab.paths.instance(uid).is_dir(), "its logs stay"
    assert not lab.paths.sockets(uid).exists()
    assert lab.reasons()[-1] == "Stopped"


@pytest.mark.parametrize("how", ["exits", "panics"])
async def test_a_machine_that_crashes_fails(lab: Lab, how: str) -> None:
    uid = (await run(lab)).metadata.uid
    machine = lab.host.machine
    (lab.paths.instance(uid) / "qemu.log").write_text("qemu: it \x1b[31mhurts\n")
    if how == "exits":
        machine.exit(-6)
    else:
        machine.run_state = RunState.GUEST_PANICKED
        lab.host.tell(machine, "panicked", "pause")
    await lab.settle()
    vmi = lab.vmi("lone")
    assert vmi.status.phase == "Failed"
    assert not lab.host.alive
    if how == "exits":
        (event,) = [event for event in lab.objects.list(registry.EVENTS).items if event.reason == "Stopped"]
        assert event.type == "Warning"
        assert "QEMU exited with -6: qemu: it [31mhurts" in event.message


async def test_a_reset_changes_nothing(lab: Lab) -> None:
    await run(lab)
    lab.host.tell(lab.host.machine, "reset", "guest-reset")
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Running"
    assert len(lab.host.launched) == 1


async def test_a_machine_that_qemu_refuses_fails(lab: Lab) -> None:
    lab.host.launch_error = refused("QEMU exited with code 1: no such device")
    vmi = await run(lab)
    assert (vmi.status.phase, vmi.status.reason) == ("Failed", "LaunchFailed")
    assert "SyncFailed" in lab.reasons()


async def test_deleting_asks_the_guest_first(lab: Lab) -> None:
    uid = (await run(lab)).metadata.uid
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    assert lab.find_vmi("lone") is None
    assert lab.host.launched[0].calls == ["powerdown", "quit"]
    assert not lab.paths.instance(uid).exists()
    for kind in ("pins", "launches", "grants", "explain"):
        assert lab.objects.records.list(kind) == {}
    assert lab.reasons()[-3:] == ["ShuttingDown", "Stopped", "Deleted"]


async def test_a_deaf_guest_ends_at_its_deadline_also_after_a_restart(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.termination_grace_period_seconds = 20
    await run(lab, made=made)
    lab.host.deaf = True
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    await lab.pass_(12)
    assert len(lab.host.alive) == 1
    await lab.restart()
    await lab.pass_(7)
    assert len(lab.host.alive) == 1
    await lab.pass_(2)
    assert not lab.host.alive
    assert lab.find_vmi("lone") is None


async def test_no_grace_means_now(lab: Lab) -> None:
    await run(lab)
    lab.host.deaf = True
    await lab.objects.delete(VMIS, "default", "lone", grace_period=0)
    await lab.settle()
    assert lab.find_vmi("lone") is None
    assert lab.host.launched[0].calls == ["quit"]


async def test_missing_objects_are_waited_for(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.volumes = [
        Volume(name="seed", cloud_init_no_cloud=CloudInitSource(secret_ref=LocalObjectReference(name="s"))),
        Volume(name="config", config_map=ConfigMapSource(name="c")),
        Volume(name="maybe", config_map=ConfigMapSource(name="none", optional=True)),
    ]
    made.spec.domain.devices.disks = [
        Disk(name=volume.name, disk=DiskTarget(bus="virtio")) for volume in made.spec.volumes
    ]
    vmi = await run(lab, made=made)
    assert vmi.status.phase == "Pending"
    found = find_condition(vmi.status.conditions, "Synchronized")
    assert found is not None
    assert found.message == 'secret "s" not found; configmap "c" not found'
    await lab.objects.create(registry.SECRETS, Secret(metadata=ObjectMeta(name="s", namespace="default")))
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Pending"
    await lab.objects.create(registry.CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="c", namespace="default")))
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Running"
    assert lab.manager._vmis.starter.waiting == {}


async def test_an_image_that_cannot_be_pulled(lab: Lab) -> None:
    lab.host.prepare_error = HostError("no route to registry", reason="ErrImagePull")
    await lab.create("Always")
    assert lab.shown() == "ErrImagePull"
    assert lab.vmi().status.phase == "Scheduling"
    trouble = lab.manager._vmis.starter._troubles[lab.vmi().metadata.uid]
    trouble.shown -= 10
    await lab.pass_(0)
    assert lab.shown() == "ImagePullBackOff"
    lab.host.prepare_error = None
    trouble.until = 0
    await lab.pass_(0)
    assert lab.shown() == "Running"


async def test_a_long_preparation_can_be_deleted(lab: Lab) -> None:
    lab.host.prepare_gate = asyncio.Event()
    vmi = await run(lab)
    assert vmi.status.phase == "Scheduling"
    await lab.objects.delete(VMIS, "default", "lone")
    await lab.settle()
    assert lab.find_vmi("lone") is None
    assert not lab.paths.instance(vmi.metadata.uid).exists()
    assert lab.host.launched == []


async def test_a_daemon_that_dies_while_preparing_begins_again(lab: Lab) -> None:
    lab.host.prepare_gate = asyncio.Event()
    await run(lab)
    lab.host.prepare_gate.set()
    await lab.restart()
    assert lab.vmi("lone").status.phase == "Running"
    assert len(lab.host.launched) == 1


async def test_adopted_as_it_was(lab: Lab) -> None:
    before = await run(lab)
    await lab.restart()
    after = lab.vmi("lone")
    assert after.status == before.status
    assert len(lab.host.launched) == 1
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Succeeded"


@pytest.mark.parametrize("ends", ["powers off", "dies"])
async def test_what_happens_while_nobody_watches_is_found_out(lab: Lab, ends: str) -> None:
    await run(lab)
    await lab.manager.stop()
    if ends == "powers off":
        lab.host.machine.power_off()
    else:
        lab.host.machine.exit(-9)
    await lab.restart()
    assert lab.vmi("lone").status.phase == ("Succeeded" if ends == "powers off" else "Failed")
    assert not lab.host.alive


async def test_pins_of_a_vm_outlive_its_vmis(lab: Lab) -> None:
    await lab.create("Always")
    first = lab.vmi()
    await lab.manager.operations.restart("default", "vm")
    await lab.settle()
    second = lab.vmi()
    assert second.metadata.uid != first.metadata.uid
    assert second.status.interfaces[0].mac == first.status.interfaces[0].mac
    assert second.status.machine == first.status.machine


async def test_a_guest_that_writes_without_end_does_not_fill_the_disk(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = (await run(lab)).metadata.uid
    logs = [lab.paths.instance(uid) / name for name in ("serial.log", "qemu.log")]
    for log in logs:
        log.write_bytes(b"x" * (logfile.TRIM_AT + 1))
    monkeypatch.setattr(reconciler, "LOOK_AT_LOGS", 0.001)
    task = asyncio.create_task(lab.manager._vmis.keep_logs_small())
    async with asyncio.timeout(60):
        while any(log.stat().st_size for log in logs):
            await asyncio.sleep(0.001)
    task.cancel()


async def test_an_orphaned_vmi_is_still_itself(lab: Lab) -> None:
    await lab.create("Always")
    before = lab.vmi().status
    await lab.objects.delete(VMS, "default", "vm", propagation="Orphan")
    await lab.settle()
    assert lab.objects.find(VMS, "default", "vm") is None
    await lab.restart()
    after = lab.vmi()
    assert after.metadata.owner_references == []
    assert (after.status.interfaces, after.status.machine) == (before.interfaces, before.machine)
    await lab.objects.delete(VMIS, "default", "vm")
    await lab.settle()
    assert lab.find_vmi() is None


@pytest.mark.parametrize("error", [HostError("the host hiccups"), ValueError("a defect")])
async def test_a_reconciler_that_fails_tells_and_goes_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise error

    machines = lab.manager._vmis.machines
    with monkeypatch.context() as patch:
        patch.setattr(machines, "find", fail)
        await run(lab)
        assert "SyncFailed" in lab.reasons()
        assert lab.vmi("lone").status.phase == ""
    await until(lambda: lab.vmi("lone").status.phase == "Running")


async def test_a_watchdog_that_switches_off(lab: Lab) -> None:
    await run(lab)
    machine = lab.host.machine
    lab.host.tell(machine, "watchdog", "poweroff")
    machine.exit(0)
    await lab.settle()
    status = lab.vmi("lone").status
    assert (status.phase, status.reason) == ("Failed", "Watchdog")
    assert "Watchdog" in lab.reasons()


async def test_a_reboot_that_ends_the_machine(lab: Lab) -> None:
    await run(lab)
    lab.host.tell(lab.host.machine, "shutdown", "guest-reset")
    await lab.settle()
    assert lab.vmi("lone").status.phase == "Succeeded"
