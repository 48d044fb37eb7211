"""When a machine is made to follow its spec, over fakes: a concern that a test commands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from solovirt.api.kubevirt.spec.compute import CPU
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import CPUTopology
from solovirt.api.meta import Condition, find_condition
from solovirt.controllers.vmi.live.concern import NOTHING, Report, Update
from solovirt.kit.errors import GuestError
from solovirt.store.writer import Write
from tests.unit.controllers.lab import VMIS, VMS, Lab, vm

BUSY = Condition(type="HotVCPUChange", status="True")
REFUSED = Condition(type="HotVCPUChange", status="False", reason="GuestRefused", message="no")


class Sockets:
    """Plugs sockets, in name only. ``gate`` holds it up, ``answer`` is its last word."""

    name = "cpu"

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.gate: asyncio.Event | None = None
        self.answer: Callable[[int], Report] = lambda sockets: Report(
            topology=CPUTopology(sockets=sockets, cores=1, threads=1)
        )
        self.cancelled = 0

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return spec.domain.cpu

    async def apply(self, update: Update) -> Report:
        cpu = update.vmi.spec.domain.cpu
        assert cpu is not None and cpu.sockets is not None
        self.seen.append(cpu.sockets)
        update.tell(Report(conditions=(BUSY,)))
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return self.answer(cpu.sockets)


@pytest.fixture
def sockets(lab: Lab) -> Sockets:
    made = Sockets()
    lab.concerns.append(made)
    return made


async def resize(lab: Lab, number: int) -> None:
    def change(found: VirtualMachine) -> bool:
        assert found.spec.template.spec.domain.cpu is not None
        found.spec.template.spec.domain.cpu.sockets = number
        return True

    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()


async def running(lab: Lab) -> None:
    made = vm()
    made.spec.template.spec.domain.cpu = CPU(sockets=1)
    await lab.objects.create(VMS, made)
    await lab.settle()


async def label(lab: Lab, value: str) -> None:
    """A change of the machine's spec which is not about its CPUs."""

    def change(found: VirtualMachine) -> bool:
        found.spec.template.spec.node_selector = {"value": value}
        return True

    before = lab.vmi().spec
    await lab.objects.modify(VMS, "default", "vm", change)
    await lab.settle()
    assert lab.vmi().spec != before, "it follows this in place"


def condition(lab: Lab) -> tuple[str, str] | None:
    found = find_condition(lab.vmi().status.conditions, "HotVCPUChange")
    return (found.status, found.message) if found is not None else None


async def test_a_change_of_the_vm_reaches_the_machine_and_the_status(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    assert sockets.seen == [], "it was started from this very spec"
    await resize(lab, 3)
    assert sockets.seen == [3]
    topology = lab.vmi().status.current_cpu_topology
    assert topology is not None and topology.sockets == 3
    assert condition(lab) is None
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is None


async def test_beyond_the_headroom_it_waits_for_a_restart(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    await resize(lab, 9)
    assert sockets.seen == []
    assert find_condition(lab.vm().status.conditions, "RestartRequired") is not None


async def test_work_that_takes_long_is_shown_and_holds_nobody_up(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.gate = asyncio.Event()
    await resize(lab, 2)
    assert condition(lab) == ("True", "")
    await resize(lab, 4)
    assert sockets.seen == [2], "one job at a time"
    sockets.gate.set()
    await lab.settle()
    assert sockets.seen == [2, 4]
    assert condition(lab) is None


async def test_a_refusal_stands_until_something_changes(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.answer = lambda number: Report(conditions=(REFUSED,))
    await resize(lab, 2)
    assert condition(lab) == ("False", "no")
    await lab.pass_(60)
    assert sockets.seen == [2]
    (machine,) = lab.host.alive.values()
    sockets.answer = lambda number: NOTHING
    lab.host.tell(machine, "reset", "guest-reset")
    await lab.settle()
    assert sockets.seen == [2, 2]
    assert condition(lab) is None


async def test_what_may_pass_is_tried_again(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.answer = lambda number: Report(again=0.0)
    await resize(lab, 2)
    assert len(sockets.seen) > 1


async def test_what_happens_meanwhile_is_looked_at_before_the_next_attempt_is_due(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.gate = asyncio.Event()
    sockets.answer = lambda number: Report(conditions=(REFUSED,), again=3600)
    await resize(lab, 2)
    lab.host.tell(lab.host.machine, "unplugged", "ua-x")
    await lab.settle()
    assert sockets.seen == [2]
    sockets.gate.set()
    await lab.settle()
    assert sockets.seen == [2, 2]


async def test_an_error_is_told_and_the_last_word_kept(lab: Lab, sockets: Sockets) -> None:
    def fail(number: int) -> Report:
        raise GuestError("QEMU says no")

    await running(lab)
    sockets.answer = fail
    await resize(lab, 2)
    assert "LiveUpdateFailed" in lab.reasons("VirtualMachineInstance")
    assert condition(lab) == ("True", "")


async def test_a_new_daemon_looks_at_what_stands(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.gate = asyncio.Event()
    await resize(lab, 2)
    await lab.restart()
    assert sockets.cancelled == 1
    assert sockets.seen == [2, 2]


async def test_work_ends_with_the_machine(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.gate = asyncio.Event()
    await resize(lab, 2)
    await lab.objects.delete(VMS, "default", "vm")
    await lab.settle()
    assert sockets.cancelled == 1
    assert lab.find_vmi() is None


async def test_a_device_that_went_by_itself_is_noticed(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    await resize(lab, 2)
    lab.host.tell(lab.host.machine, "unplugged", "ua-x")
    await lab.settle()
    assert sockets.seen == [2, 2]
    lab.host.tell(lab.host.machine, "running")
    await lab.settle()
    assert sockets.seen == [2, 2]


async def test_another_timer_of_the_vmi_does_not_swallow_the_next_look(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    sockets.answer = lambda _: Report(conditions=(REFUSED,), again=0.2)
    await resize(lab, 2)
    lab.manager._vmis.queue.add_after(("default", "vm"), 0.01)
    for _ in range(60):
        await asyncio.sleep(0.01)
        await lab.settle()
    assert len(sockets.seen) > 1


async def test_few_writes_between_the_wish_and_the_deed(
    lab: Lab, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a commit that somebody may wait for."""
    await running(lab)
    writes: list[str] = []
    writer = lab.objects._ledger.writer
    submit, apply = writer.submit, sockets.apply

    def counted(write: Write) -> None:
        writes.extend(str(values[0]) for sql, values in write.statements if sql.startswith("INSERT"))
        submit(write)

    async def marked(update: Update) -> Report:
        writes.append("begun")
        return await apply(update)

    monkeypatch.setattr(writer, "submit", counted)
    monkeypatch.setattr(sockets, "apply", marked)
    await resize(lab, 2)
    before = writes.index("begun")
    assert writes[:2] == [VMS.key, VMIS.key], "the VM's spec, the VMI's"
    assert before <= 3, "the VM's generation that was seen may be on its way"
    # Then the condition comes and goes, of the VMI and as the VM shows it; the topology with it.
    assert writes[before + 1 :].count(VMIS.key) <= 2
    assert writes[before + 1 :].count(VMS.key) <= 3


async def test_a_change_of_something_else_is_not_looked_at(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    await resize(lab, 2)
    await label(lab, "a")
    assert sockets.seen == [2]


@pytest.mark.parametrize("open_", [Report(conditions=(REFUSED,)), Report(again=60.0)], ids=["refused", "waiting"])
async def test_any_change_may_help_what_is_not_done(lab: Lab, sockets: Sockets, open_: Report) -> None:
    await running(lab)
    sockets.answer = lambda number: open_
    await resize(lab, 2)
    await label(lab, "a")
    assert sockets.seen == [2, 2]


async def test_a_new_daemon_does_not_ask_what_changed(lab: Lab, sockets: Sockets) -> None:
    await running(lab)
    await resize(lab, 2)
    await lab.restart()
    await label(lab, "a")
    assert sockets.seen == [2, 2], "once at its start"
