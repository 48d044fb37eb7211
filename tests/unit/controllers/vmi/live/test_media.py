"""The ways of a drive that :mod:`test_disks` does not go: a guest that holds its tray, an insertion that fails."""

from __future__ import annotations

import asyncio

import pytest

from solovirt.hypervisor import blocks
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
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


async def test_a_daemon_that_dies_before_it_closes_the_tray_of_another_medium(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    close = bench.qemu._blockdev_close_tray

    def dies(given: JsonObject) -> Json:
        if bench.qemu.media["ua-cd"]:
            raise asyncio.CancelledError
        return close(given)

    monkeypatch.setattr(bench.qemu, "_blockdev_close_tray", dies)
    with pytest.raises(asyncio.CancelledError):
        await bench.look(drive=True, medium=MEDIUM.replace("iso", "other"))
    monkeypatch.undo()
    assert bench.qemu.open_trays == {"ua-cd"}
    bench.qemu.nodes["cd-0-format"]["size"] = 3 << 20
    await bench.look(drive=True, medium=MEDIUM.replace("iso", "other"))
    assert not bench.qemu.open_trays
    assert bench.record.sizes == {"cd": 3 << 20}, "the new one's"
