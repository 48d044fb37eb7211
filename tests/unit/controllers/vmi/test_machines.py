from __future__ import annotations

import asyncio
from typing import cast

import pytest

from solovirt.controllers.vmi import machines as module
from solovirt.controllers.vmi.machines import qemu_log
from solovirt.controllers.vmi.status import has_begun
from solovirt.hypervisor.instance import Instance
from tests.unit.controllers.lab import VMIS, FakeInstance, Lab, lone_vmi


def test_the_log(lab: Lab) -> None:
    assert qemu_log(lab.paths, "u").name == "qemu.log"


async def test_a_machine_is_looked_for_once(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    uid = lab.vmi("lone").metadata.uid
    machines = lab.manager._vmis.machines
    assert await machines.find(uid, begun=True) is cast(Instance, lab.host.machine)
    assert machines.known("unknown") is None
    assert await machines.find("unknown", begun=False) is None
    machines.exited(uid)
    lab.host.alive.clear()
    lab.host.launched[0].has_exited = True
    assert await machines.find(uid, begun=True) is None


async def test_one_that_has_begun_is_not_let_go_again(lab: Lab) -> None:
    """A paused machine that was reset is where one is that has not begun (``prelaunch``)."""
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi = lab.vmi("lone")
    machines = lab.manager._vmis.machines
    record = lab.manager._vmis.records.launch(vmi.metadata.uid)
    assert record is not None and not record.paused and has_begun(vmi)
    assert machines.identity(vmi.metadata.uid, record, begun=has_begun(vmi)).paused
    vmi.status.phase = "Scheduled"
    assert not machines.identity(vmi.metadata.uid, record, begun=has_begun(vmi)).paused


async def test_what_does_not_quit_is_killed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    machine = lab.host.machine
    monkeypatch.setattr(module, "QUIT_PATIENCE", 0.01)

    async def hang(self: FakeInstance) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(FakeInstance, "quit", hang)
    await lab.manager._vmis.machines.end(cast(Instance, machine))
    assert machine.calls == ["kill"]


async def test_removing_leaves_the_state_directory(lab: Lab) -> None:
    machines = lab.manager._vmis.machines
    state, runtime = lab.paths.instance("u"), lab.paths.sockets("u")
    state.mkdir()
    runtime.mkdir()
    (runtime / "qmp.sock").touch()
    await machines.remove("u")
    await machines.remove("u")
    assert state.is_dir()
    assert not runtime.exists()


async def test_last_words(lab: Lab) -> None:
    machines = lab.manager._vmis.machines
    assert machines.last_words("u") == ""
    lab.paths.instance("u").mkdir()
    qemu_log(lab.paths, "u").write_text("one\ntwo\n")
    assert machines.last_words("u") == "one | two"
    qemu_log(lab.paths, "u").unlink()
    qemu_log(lab.paths, "u").symlink_to("/etc/passwd")
    assert machines.last_words("u") == "", "links are not followed"
