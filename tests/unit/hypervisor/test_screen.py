from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import cast

import pytest

from solovirt.hypervisor import png, screen
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import GuestError, TimedOut
from solovirt.kit.json import Json, JsonObject
from tests.support import descriptors
from tests.support.fakeqemu import FakeQemu

PPM = b"P6\n2 1\n255\n" + bytes(6)


@pytest.fixture
def qemu() -> Iterator[FakeQemu]:
    made = FakeQemu()
    before = descriptors.count()
    yield made
    made.close()
    assert descriptors.count() <= before, "a descriptor is left open"


def shows(qemu: FakeQemu, data: bytes) -> None:
    def dumped(arguments: JsonObject) -> Json:
        assert arguments["filename"] == "/dev/fdset/7001"
        os.ftruncate(qemu.handed["7001"], 0)  # as QEMU does with every file that it opens anew
        os.write(qemu.handed["7001"], data)
        return {}

    qemu.replies["screendump"] = dumped


async def test_a_png_as_it_is(qemu: FakeQemu) -> None:
    picture = png.from_ppm(PPM)
    shows(qemu, picture)
    assert await screen.picture(cast(Instance, qemu)) == picture
    assert qemu.calls[1] == ("screendump", {"filename": "/dev/fdset/7001", "format": "png"})
    assert qemu.calls[2] == ("remove-fd", {"fdset-id": 7001})


async def test_a_qemu_without_png(qemu: FakeQemu) -> None:
    qemu.replies["query-qmp-schema"] = []
    shows(qemu, PPM)
    assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM)
    assert qemu.calls[1] == ("screendump", {"filename": "/dev/fdset/7001"})


async def test_no_picture(qemu: FakeQemu) -> None:
    shows(qemu, b"not a picture")
    with pytest.raises(GuestError, match="no PNG"):
        await screen.picture(cast(Instance, qemu))
    qemu.replies["screendump"] = GuestError("no console", reason="GenericError")
    with pytest.raises(GuestError, match="no console"):
        await screen.picture(cast(Instance, qemu))
    assert qemu.commands[-1] == "remove-fd", "QEMU's copy is closed also then"


async def test_more_than_a_picture(qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "LIMIT", 100)
    shows(qemu, bytes(101))
    with pytest.raises(GuestError, match="101 bytes"):
        await screen.picture(cast(Instance, qemu))


async def test_a_paused_machine_has_one_file_for_all_its_pictures(qemu: FakeQemu) -> None:
    """QEMU closes none of them meanwhile."""
    qemu.run_state = RunState.PAUSED
    shows(qemu, png.from_ppm(PPM))
    for _ in range(3):
        assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM)
    assert "remove-fd" not in qemu.commands
    assert os.fstat(qemu.handed["7001"]).st_size == 0, "no memory is held"
    qemu.run_state = RunState.RUNNING
    assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM)
    assert qemu.handed == {} and qemu.commands[-1] == "remove-fd"


async def test_a_file_that_qemu_lost(qemu: FakeQemu) -> None:
    qemu.run_state = RunState.PAUSED
    shows(qemu, png.from_ppm(PPM))
    await screen.picture(cast(Instance, qemu))
    qemu.replies["screendump"] = GuestError("File descriptor set not found", reason="GenericError")
    with pytest.raises(GuestError):
        await screen.picture(cast(Instance, qemu))
    shows(qemu, png.from_ppm(PPM))
    assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM), "the next one gives another"
    qemu.run_state = RunState.RUNNING
    await screen.picture(cast(Instance, qemu))


async def test_pictures_come_one_after_the_other(qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "PATIENCE", 0.01)
    first, gate = asyncio.Event(), asyncio.Event()
    add_fd = qemu.add_fd

    async def slow(descriptor: int, number: int) -> None:
        await add_fd(descriptor, number)
        first.set()
        await gate.wait()

    monkeypatch.setattr(qemu, "add_fd", slow)
    shows(qemu, png.from_ppm(PPM))
    one = asyncio.create_task(screen.picture(cast(Instance, qemu)))
    await first.wait()
    with pytest.raises(TimedOut, match="before this one"):
        await screen.picture(cast(Instance, qemu))
    gate.set()
    assert await one == png.from_ppm(PPM)
    assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM)


@pytest.mark.parametrize(("absolute", "kind"), [(True, "abs"), (False, "rel")])
async def test_wiggling(qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch, absolute: bool, kind: str) -> None:
    monkeypatch.setattr(screen, "AWAKE", 0)
    qemu.replies["query-mice"] = [{"current": False, "absolute": not absolute}, {"current": True, "absolute": absolute}]
    await screen.wiggle(cast(Instance, qemu))
    moves = [arguments["events"] for name, arguments in qemu.calls if name == "input-send-event"]
    assert len(moves) == 2 and moves[0] != moves[1]
    assert all(one["type"] == kind for move in moves for one in cast(list[JsonObject], move))


async def test_no_pointer(qemu: FakeQemu) -> None:
    for reply in ([], {}, [{"current": False}]):
        qemu.replies["query-mice"] = cast(Json, reply)
        await screen.wiggle(cast(Instance, qemu))
    assert "input-send-event" not in qemu.commands
