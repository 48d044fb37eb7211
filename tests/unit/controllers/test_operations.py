"""Start, stop, restart, pause and the rest, and KubeVirt's ways of refusing them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from solovirt.controllers.operations import Operations
from solovirt.kit.errors import BadRequest, Conflict, NotFound, SolovirtError
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi, refused

HERE = ("default", "vm")


def operations(lab: Lab) -> Operations:
    return lab.manager.operations


async def refusal(work: Awaitable[object]) -> str:
    with pytest.raises(SolovirtError) as caught:
        await work
    return caught.value.message.removeprefix('Operation cannot be fulfilled on virtualmachine.kubevirt.io "vm": ')


async def test_start_and_stop_of_a_halted_vm(lab: Lab) -> None:
    await lab.create("Halted")
    await operations(lab).start(*HERE)
    assert lab.vm().spec.run_strategy == "Always"
    await lab.settle()
    assert lab.shown() == "Running"
    assert await refusal(operations(lab).start(*HERE)) == "VM is already running"
    await operations(lab).stop(*HERE)
    await lab.settle()
    assert (lab.shown(), lab.vm().spec.run_strategy) == ("Stopped", "Halted")
    assert await refusal(operations(lab).stop(*HERE)) == "VM is not running"
    text = "RunStategy Halted does not support manual restart requests"
    assert await refusal(operations(lab).restart(*HERE)) == text


async def test_the_old_spelling_stays(lab: Lab) -> None:
    from tests.unit.controllers.lab import VMS, vm

    made = vm("")
    made.spec.running = False
    await lab.objects.create(VMS, made)
    await lab.settle()
    await operations(lab).start(*HERE)
    assert (lab.vm().spec.running, lab.vm().spec.run_strategy) == (True, "")
    await lab.settle()
    await operations(lab).stop(*HERE)
    assert lab.vm().spec.running is False


async def test_manual(lab: Lab) -> None:
    await lab.create("Manual")
    assert lab.shown() == "Stopped"
    await operations(lab).start(*HERE)
    await lab.settle()
    assert lab.shown() == "Running"
    assert lab.vm().status.state_change_requests == []
    await operations(lab).restart(*HERE)
    assert await refusal(operations(lab).restart(*HERE)) == "unable to complete request: stop/start already underway"
    first = lab.vmi().metadata.uid
    await lab.settle()
    assert lab.vmi().metadata.uid != first
    lab.host.machine.power_off()
    await lab.settle()
    assert lab.vmi().status.phase == "Succeeded", "a finished VMI stays"
    assert await refusal(operations(lab).stop(*HERE)) == "VM is not running"
    await operations(lab).start(*HERE)
    await lab.settle()
    assert lab.shown() == "Running"
    await operations(lab).stop(*HERE)
    await lab.settle()
    assert lab.shown() == "Stopped"


async def test_strategies_that_start_by_themselves(lab: Lab) -> None:
    lab.host.launch_error = refused()
    await lab.create("Always")
    assert await refusal(operations(lab).start(*HERE)) == "Always does not support manual start requests"
    assert await refusal(operations(lab).restart(*HERE)) == "VM is not running"
    await operations(lab).stop(*HERE)
    assert lab.vm().spec.run_strategy == "Halted"


async def test_a_paused_start_waits(lab: Lab) -> None:
    await lab.create("Halted")
    await operations(lab).start(*HERE, paused=True)
    await lab.settle()
    assert lab.shown() == "Paused"
    assert lab.vm().spec.run_strategy == "Always"
    assert lab.host.machine.calls == []
    await operations(lab).machine.unpause(*HERE)
    await lab.settle()
    assert lab.shown() == "Running"
    assert await refusal(operations(lab).machine.unpause(*HERE)) == "VMI is not paused"
    await operations(lab).machine.pause(*HERE)
    assert await refusal(operations(lab).machine.pause(*HERE)) == "VMI is already paused"


async def test_a_shorter_grace(lab: Lab) -> None:
    await lab.create("Always")
    lab.host.deaf = True
    await operations(lab).stop(*HERE)
    await lab.settle()
    assert lab.shown() == "Stopping"
    text = "Halted only supports manual stop requests with a shorter graceperiod"
    assert await refusal(operations(lab).stop(*HERE)) == text
    assert await refusal(operations(lab).stop(*HERE, grace_period=60)) == text
    await operations(lab).stop(*HERE, grace_period=0)
    await lab.settle()
    assert lab.shown() == "Stopped"


async def test_a_forced_restart_pulls_the_plug(lab: Lab) -> None:
    await lab.create("Always")
    lab.host.deaf = True
    first = lab.vmi().metadata.uid
    await operations(lab).restart(*HERE, grace_period=0)
    await lab.settle()
    assert lab.vmi().metadata.uid != first
    assert lab.shown() == "Running"
    assert lab.vm().status.start_failure is None


async def test_dry_runs_change_nothing(lab: Lab) -> None:
    await lab.create("Always")
    revision = lab.objects.revision
    await operations(lab).stop(*HERE, grace_period=0, dry_run=True)
    await operations(lab).restart(*HERE, grace_period=0, dry_run=True)
    await operations(lab).machine.pause(*HERE, dry_run=True)
    await lab.settle()
    assert lab.objects.revision == revision
    assert lab.shown() == "Running"


async def test_what_is_not_there(lab: Lab) -> None:
    calls: list[Callable[[str, str], Awaitable[object]]] = [
        operations(lab).start,
        operations(lab).stop,
        operations(lab).restart,
        operations(lab).explain,
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            await call("default", "x")
        assert caught.value.message == 'virtualmachine.kubevirt.io "x" not found'
    for call in (operations(lab).machine.pause, operations(lab).open_console):
        with pytest.raises(NotFound, match=r'virtualmachineinstance\.kubevirt\.io "x" not found'):
            await call("default", "x")


async def test_consoles_are_refused_before_they_open(lab: Lab) -> None:
    vmi = lone_vmi()
    vmi.spec.domain.devices.autoattach_serial_console = False
    await lab.objects.create(VMIS, vmi)
    lab.host.launch_error = None
    await lab.settle()
    with pytest.raises(BadRequest, match="No serial consoles are present"):
        await operations(lab).open_console("default", "lone")
    lab.host.launch_error = refused()
    await lab.objects.create(VMIS, lone_vmi("broken"))
    await lab.settle()
    with pytest.raises(Conflict, match="VMI is in failed status"):
        await operations(lab).open_console("default", "broken")
    lab.host.prepare_error = refused()
    await lab.objects.create(VMIS, lone_vmi("early"))
    await lab.settle()
    with pytest.raises(BadRequest, match="VMI is not running"):
        await operations(lab).open_console("default", "early")
    with pytest.raises(Conflict, match="VM is not running"):
        await operations(lab).machine.pause("default", "early")


async def test_logs(lab: Lab) -> None:
    await lab.create("Always")
    uid = lab.vmi().metadata.uid
    assert await operations(lab).logs(*HERE, "qemu") == lab.paths.instance(uid) / "qemu.log"
    assert await operations(lab).logs(*HERE, "serial") == lab.paths.instance(uid) / "serial.log"
