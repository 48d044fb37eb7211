"""The ways of a drive that :mod:`test_disks` does not go: a guest that holds its tray, an insertion that fails."""

from __future__ import annotations

import pytest

from solovirt.hypervisor import blocks
from solovirt.kit.errors import GuestError
from tests.unit.controllers.lab import Lab
from tests.unit.controllers.vmi.live.test_disks import MEDIUM, Bench, bench

__all__ = ["bench"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks.eject, "__kwdefaults__", {"patience": 0.02})


async def test_a_tray_that_the_guest_holds_is_opened_by_force(lab: Lab, bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    bench.qemu.locks = True
    await bench.look(drive=True)
    assert (bench.qemu.media, bench.qemu.nodes) == ({"ua-cd": ""}, {})
    await lab.settle()
    assert "TrayForced" in lab.reasons()


async def test_an_insertion_that_fails_leaves_nothing(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    bench.qemu.fails["blockdev-insert-medium"] = GuestError("no", reason="GenericError")
    report = await bench.look(drive=True, medium=MEDIUM)
    assert report.conditions[0].message == "cd: no"
    assert (bench.qemu.media, bench.qemu.nodes, bench.record.sizes) == ({"ua-cd": ""}, {}, {})
    bench.qemu.fails.clear()
    await bench.look(drive=True, medium=MEDIUM)
    assert bench.qemu.media == {"ua-cd": "cd-0-format"}


async def test_the_old_medium_goes_though_the_new_one_is_not_ready(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    bench.launcher.missing = {"cd"}
    report = await bench.look(drive=True, medium=MEDIUM.replace("iso", "other"))
    assert bench.qemu.media == {"ua-cd": ""}
    assert report.volumes["cd"].phase == "Pending"


async def test_an_empty_drive_is_left_alone(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True)
    assert not [word for word in bench.qemu.commands if word.startswith("blockdev")]
