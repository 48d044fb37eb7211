"""From names to objects and machines, or KubeVirt's refusal."""

from __future__ import annotations

import pytest

from solovirt.controllers.targets import Targets
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import Conflict, NotFound
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi, refused

HERE = ("default", "vm")
VM, VMI = r"virtualmachine\.kubevirt\.io", r"virtualmachineinstance\.kubevirt\.io"


@pytest.fixture
def targets(lab: Lab) -> Targets:
    return Targets(lab.manager._site, lab.manager._vmis)


async def test_who_is_not_there(targets: Targets) -> None:
    with pytest.raises(NotFound, match=f'^{VM} "x" not found$'):
        targets.vm("default", "x")
    for find in (targets.vmi, targets.running, targets.with_agent):
        with pytest.raises(NotFound, match=f'^{VMI} "x" not found$'):
            find("default", "x")


async def test_the_vmi_of_a_vm_is_its_own(lab: Lab, targets: Targets) -> None:
    await lab.create("Halted")
    assert targets.vmi_of(targets.vm(*HERE)) is None
    await lab.objects.create(VMIS, lone_vmi("vm"))
    assert targets.vmi_of(targets.vm(*HERE)) is None, "somebody else's of that name"


async def test_a_running_machine(lab: Lab, targets: Targets) -> None:
    await lab.create("Always")
    vmi, instance = targets.running(*HERE)
    assert vmi.metadata.uid == instance.uid == lab.host.machine.uid
    assert targets.vmi_of(targets.vm(*HERE)) == vmi


async def test_a_machine_that_does_not_run(lab: Lab, targets: Targets) -> None:
    lab.host.launch_error = refused()
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    with pytest.raises(Conflict, match=f'on {VM} "lone": VM is not running$'):
        targets.running("default", "lone")
    with pytest.raises(Conflict, match=f'on {VMI} "lone": VMI is not running$'):
        targets.with_agent("default", "lone")


async def test_a_machine_with_an_agent(lab: Lab, targets: Targets) -> None:
    await lab.create("Always")
    with pytest.raises(Conflict, match=f'on {VMI} "vm": VMI does not have guest agent connected ') as caught:
        targets.with_agent(*HERE)
    assert "qemu-guest-agent" in caught.value.hint
    lab.host.machine.run_state = RunState.SUSPENDED
    with pytest.raises(Conflict) as caught:
        targets.with_agent(*HERE)
    assert "guest wakeup" in caught.value.hint
    lab.host.machine.connect_agent()
    assert targets.with_agent(*HERE) is lab.host.machine
