from __future__ import annotations

import pytest

from solovirt.hypervisor import blocks
from solovirt.hypervisor.blocks import Medium
from solovirt.kit.errors import GuestError
from tests.unit.controllers.vmi.live.fakeqemu import FakeQemu


@pytest.fixture
def qemu() -> FakeQemu:
    made = FakeQemu()
    made.drive("ua-cd")
    made.nodes = {
        "d-0-storage": {"driver": "file", "filename": "/d", "read-only": True},
        "d-0-format": {"driver": "raw", "file": "d-0-storage", "read-only": True, "size": 7},
    }
    return made


async def test_nodes(qemu: FakeQemu) -> None:
    found = await blocks.nodes(qemu.instance)
    assert (found["d-0-storage"].file, found["d-0-storage"].read_only) == ("/d", True)
    assert (found["d-0-format"].file, found["d-0-format"].size) == ("", 7)


async def test_nodes_go_once_nothing_uses_them(qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu.busy = 3
    await blocks.remove_nodes(qemu.instance, ["d-0-format", "d-0-storage", "never-0-format"])
    assert qemu.nodes == {}
    monkeypatch.setattr(blocks, "_BUSY_TIMEOUT", 0.05)
    qemu.nodes = {"e": {}}
    qemu.busy = 1000
    with pytest.raises(GuestError, match="in use"):
        await blocks.remove_nodes(qemu.instance, ["e"])


async def test_a_medium_goes_in_and_out(qemu: FakeQemu) -> None:
    await blocks.insert(qemu.instance, "ua-cd", "d-0-format")
    assert await blocks.media(qemu.instance) == {"ua-cd": Medium("d-0-format")}
    assert await blocks.eject(qemu.instance, "ua-cd") is False
    assert await blocks.media(qemu.instance) == {"ua-cd": Medium("", tray_open=True)}


async def test_a_guest_that_locks_its_tray_is_asked_first(qemu: FakeQemu) -> None:
    await blocks.insert(qemu.instance, "ua-cd", "d-0-format")
    qemu.locks = True
    assert await blocks.eject(qemu.instance, "ua-cd", patience=0.02) is True
    assert qemu.media == {"ua-cd": ""}


async def test_a_medium_that_does_not_go_in_is_taken_out(qemu: FakeQemu) -> None:
    qemu.fails["blockdev-close-tray"] = GuestError("no", reason="GenericError")
    with pytest.raises(GuestError):
        await blocks.insert(qemu.instance, "ua-cd", "d-0-format")
    assert qemu.media == {"ua-cd": ""}


async def test_resize(qemu: FakeQemu) -> None:
    await blocks.resize(qemu.instance, "d-0-format", 9)
    assert (await blocks.nodes(qemu.instance))["d-0-format"].size == 9
