from __future__ import annotations

import pytest

from solovirt.controllers.vmi.live import devices, filesystems, watchdog
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.outcome import Outcome
from solovirt.kit.errors import GuestError
from tests.unit.controllers.lab import Lab

from .qemu import bench


async def test_both_are_told_in_one_condition(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(update: Update, outcome: Outcome) -> None:
        outcome.failed("a", GuestError("one", reason="First"))

    async def fail_too(update: Update, outcome: Outcome) -> None:
        outcome.failed("b", GuestError("two", reason="Second"))

    monkeypatch.setattr(filesystems, "apply", fail)
    monkeypatch.setattr(watchdog, "apply", fail_too)
    [told] = (await devices.Devices().apply((await bench(lab)).update)).conditions
    assert (told.type, told.reason, told.message) == ("DevicesChange", "First", "one; two")
