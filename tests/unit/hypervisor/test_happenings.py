from __future__ import annotations

import pytest

from solovirt.hypervisor.happenings import QUEUED, Happenings
from solovirt.kit.errors import TimedOut, Unavailable


async def test_who_listens_hears_everything_in_order() -> None:
    happenings = Happenings()
    happenings.tell("BEFORE", {})
    with happenings.listen() as one, happenings.listen() as other:
        happenings.tell("A", {"device": "x"})
        happenings.tell("B", {})
        assert [await one.next(1), await one.next(1)] == [("A", {"device": "x"}), ("B", {})]
        assert await other.next(1) == ("A", {"device": "x"})
    happenings.tell("AFTER", {})


async def test_silence_has_an_end() -> None:
    with Happenings().listen() as listener, pytest.raises(TimedOut, match=r"told nothing within 0\.01 s"):
        await listener.next(0.01)


async def test_a_lost_monitor_wakes_who_waits() -> None:
    happenings = Happenings()
    with happenings.listen() as listener:
        happenings.lost()
        with pytest.raises(Unavailable):
            await listener.next(1)


async def test_a_guest_that_causes_a_flood_costs_no_more_than_the_queue() -> None:
    happenings = Happenings()
    with happenings.listen() as listener:
        for number in range(QUEUED + 10):
            happenings.tell(str(number), {})
        assert await listener.next(1) == ("10", {})
