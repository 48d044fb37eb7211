from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from solovirt.hypervisor import png, screen
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from tests.support.fakeqemu import FakeQemu

PPM = b"P6\n2 1\n255\n" + bytes(6)


@pytest.fixture
def qemu() -> Iterator[FakeQemu]:
    made = FakeQemu()
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield made
    made.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before, "a descriptor is left open"


def shows(qemu: FakeQemu, data: bytes) -> None:
    def dumped(arguments: JsonObject) -> Json:
        assert arguments["filename"] == "/dev/fdset/0"
        os.ftruncate(qemu.handed["0"], 0)  # as QEMU does with every file that it opens anew
        os.write(qemu.handed["0"], data)
        return {}

    qemu.replies["screendump"] = dumped


async def test_a_png_as_it_is(qemu: FakeQemu) -> None:
    picture = png.from_ppm(PPM)
    shows(qemu, picture)
    assert await screen.picture(cast(Instance, qemu)) == picture
    assert qemu.calls[1] == ("screendump", {"filename": "/dev/fdset/0", "format": "png"})
    assert qemu.calls[2] == ("remove-fd", {"fdset-id": 0})


async def test_a_qemu_without_png(qemu: FakeQemu) -> None:
    qemu.replies["query-qmp-schema"] = []
    shows(qemu, PPM)
    assert await screen.picture(cast(Instance, qemu)) == png.from_ppm(PPM)
    assert qemu.calls[1] == ("screendump", {"filename": "/dev/fdset/0"})


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
