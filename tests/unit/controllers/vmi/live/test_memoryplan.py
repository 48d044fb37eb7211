from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.controllers.vmi.live.memoryplan import STEP, Plan, plan
from solovirt.hypervisor.memorydevices import Dimm, Memory, Region
from solovirt.kit.errors import GuestError

MIB = 1024**2
BASE = 1024 * MIB


def region(size: int = 0, requested: int | None = None, maximum: int = 3072) -> Region:
    return Region("virtiomem0", size * MIB, (size if requested is None else requested) * MIB, maximum * MIB, 2 * MIB)


def dimm(number: int, size: int) -> Dimm:
    return Dimm(f"dimm{number}", size * MIB, number, f"memdimm{number}", 4096 * MIB)


def has(one: Region | None = None, *sizes: int) -> Memory:
    return Memory(BASE, one, tuple(dimm(number, size) for number, size in enumerate(sizes)))


def planned(memory: Memory, extra: int, *, virtio: bool = True, slots: bool = True) -> tuple[int | None, list[int]]:
    made = plan(memory, extra * MIB, virtio=virtio, slots=slots)
    return made.region if made.region is None else made.region // MIB, [size // MIB for size in made.plug]


def gone(memory: Memory, extra: int) -> tuple[int | None, list[str]]:
    made = plan(memory, extra * MIB, virtio=False, slots=False)
    assert not made.plug
    return made.region if made.region is None else made.region // MIB, [one.device for one in made.unplug]


def test_virtio_mem_where_the_guest_has_a_driver() -> None:
    assert planned(has(region()), 1000) == (1000, [])
    assert planned(has(region(512)), 1024) == (1024, [])


def test_dimms_where_it_has_none() -> None:
    assert planned(has(region()), 1024, virtio=False) == (None, [1024])
    assert planned(has(), 1024) == (None, [1024])
    assert planned(has(), 896, virtio=False) == (None, [512, 256, 128]), "so that it can go again in parts"


def test_a_region_that_is_too_small_is_helped_by_dimms() -> None:
    assert planned(has(region(maximum=512)), 1024) == (512, [512])
    assert planned(has(region(512, maximum=512)), 1024) == (None, [512])


def test_few_slots_take_one_dimm() -> None:
    assert planned(has(None, *[128] * 14), 14 * 128 + 896) == (None, [896])


@pytest.mark.parametrize(
    ("memory", "virtio", "slots", "said"),
    [
        (has(region()), False, False, "no driver for virtio-mem, and the machine no slot"),
        (has(None, *[128] * 16), True, True, "no slot for a DIMM"),
        (has(), True, False, "no slot for a DIMM"),
    ],
)
def test_there_may_be_no_way(memory: Memory, virtio: bool, slots: bool, said: str) -> None:
    with pytest.raises(GuestError, match=said) as caught:
        plan(memory, 4096 * MIB, virtio=virtio, slots=slots)
    assert caught.value.reason == "UnplugRefused"


def test_dimms_come_in_steps() -> None:
    with pytest.raises(GuestError, match=r"100Mi cannot be added.*in steps of 128Mi"):
        plan(has(), 100 * MIB, virtio=False, slots=True)


def test_virtio_mem_goes_first() -> None:
    assert gone(has(region(1024), 512), 1024) == (512, [])
    assert gone(has(region(1024)), 0) == (0, [])


def test_as_few_dimms_as_do_it() -> None:
    assert gone(has(None, 512, 256, 128), 384) == (None, ["dimm0"])
    assert gone(has(None, 512, 256, 128), 128) == (None, ["dimm0", "dimm1"])
    assert gone(has(region(128), 512), 100) == (100, ["dimm0"]), "the DIMM, and what is over from virtio-mem"


def test_dimms_go_as_a_whole() -> None:
    with pytest.raises(GuestError, match="256Mi cannot be taken away: DIMMs go as a whole, and there are 512Mi"):
        plan(has(None, 512), 256 * MIB, virtio=True, slots=True)


def test_many_dimms_are_looked_at_in_pairs() -> None:
    assert gone(has(None, *[128] * 16), 14 * 128)[1] == ["dimm0", "dimm1"]
    with pytest.raises(GuestError):
        plan(has(None, *[128] * 16), 13 * STEP, virtio=True, slots=True)


def test_what_an_earlier_attempt_left_asked_for_is_taken_back() -> None:
    assert planned(has(region(512, requested=1024)), 512) == (512, [])
    assert plan(has(region(512)), 512 * MIB, virtio=False, slots=False).empty
    assert plan(has(), 0, virtio=False, slots=False) == Plan()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 8),
    st.lists(st.sampled_from([128, 256, 512]), max_size=5),
    st.integers(0, 24),
    st.booleans(),
)
def test_a_plan_leads_to_what_is_wanted(size: int, sizes: list[int], steps: int, virtio: bool) -> None:
    memory, extra = has(region(size * 128, maximum=1024), *sizes), steps * STEP
    try:
        made = plan(memory, extra, virtio=virtio, slots=True)
    except GuestError:
        return
    assert memory.region is not None
    after = memory.region.size if made.region is None else made.region
    assert 0 <= after <= memory.region.maximum
    dimms = sum(one.size for one in memory.dimms if one not in made.unplug) + sum(made.plug)
    assert after + dimms == extra
    if not virtio:
        assert after <= memory.region.size
