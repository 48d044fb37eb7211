from __future__ import annotations

import asyncio

import pytest

from solovirt.controllers.vmi.live.outcome import LATER, SOON, Outcome, together
from solovirt.hypervisor.plugging import REFUSED
from solovirt.kit.errors import GuestError
from tests.unit.controllers.lab import Lab

from .qemu import bench


async def test_progress_then_nothing(lab: Lab) -> None:
    found = await bench(lab)
    outcome = Outcome(found.update, "NetworkChange")
    assert outcome.report().conditions == ()
    outcome.begin("a", "a comes")
    outcome.begin("b", "b goes")
    [told] = found.told[-1].conditions
    assert (told.status, told.reason, told.message) == ("True", "InProgress", "a comes; b goes")
    outcome.done("a", "Done", "a is there")
    outcome.done("b", "Done", "b is gone")
    assert outcome.report().conditions == ()
    assert outcome.again is None
    assert (await found.reasons())[-2:] == ["Done", "Done"]


async def test_refusals_are_told_and_tried_again_as_fits(lab: Lab) -> None:
    outcome = Outcome((await bench(lab)).update, "NetworkChange")
    outcome.failed("a", GuestError("full", reason="NoFreeSlot", hint="unplug another"))
    assert outcome.again == LATER
    outcome.failed("b", GuestError("busy", reason=REFUSED))
    assert outcome.again == SOON
    [told] = outcome.report().conditions
    assert (told.status, told.reason, told.message) == ("False", "NoFreeSlot", "full (unplug another); busy")


async def test_together_ends_all_before_an_error_counts() -> None:
    done: list[str] = []

    async def fail() -> None:
        raise GuestError("no")

    async def slow() -> None:
        await asyncio.sleep(0.01)
        done.append("slow")

    with pytest.raises(GuestError):
        await together(fail(), slow())
    assert done == ["slow"]
