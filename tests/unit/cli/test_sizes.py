from __future__ import annotations

import pytest

from solovirt.cli.sizes import CPU, MEMORY, Resource, cells, condition, shown
from solovirt.kit.jsontypes import Json, JsonObject

GIB = 1 << 30
SIZES: JsonObject = {
    "cpu": {"requested": 4, "plugged": 4, "guest": 2},
    "memory": {"requested": 2 * GIB, "plugged": GIB, "guest": None},
}


def vmi(
    sockets: int = 2, current: str = "1Gi", requested: str = "1Gi", conditions: list[Json] | None = None
) -> JsonObject:
    memory: JsonObject = {"guestCurrent": current, "guestRequested": requested}
    return {
        "status": {"currentCPUTopology": {"sockets": sockets}, "memory": memory, "conditions": conditions or []},
    }


def test_as_a_person_reads_them() -> None:
    assert cells(SIZES, CPU) == ["4", "4", "2"]
    assert cells(SIZES, MEMORY) == ["2Gi", "1Gi", "-"]
    assert cells({}, CPU) == ["-", "-", "-"]
    assert shown(SIZES, MEMORY) == "2Gi requested, 1Gi plugged, - seen by the guest"


def test_where_they_stand() -> None:
    spec: JsonObject = {"domain": {"cpu": {"sockets": 2}, "memory": {"guest": "1Gi"}}}
    assert (CPU.asked(spec), MEMORY.asked(spec)) == (2, "1Gi")
    assert (CPU.asked({}), MEMORY.asked({})) == (None, None)
    assert CPU.patch(3) == {"domain": {"cpu": {"sockets": 3}}}
    assert MEMORY.patch(None) == {"domain": {"memory": {"guest": None}}}, "what was not there goes again"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("1Gi", "1024Mi", True), (2, 2, True), ("1Gi", "1G", False), (None, 2, False), (True, 1, False), ("x", "y", True)],
)
def test_amounts_that_are_the_same(one: Json, other: Json, same: bool) -> None:
    assert MEMORY.same(one, other) is same


def test_whether_the_guest_uses_it() -> None:
    assert not CPU.arrived(SIZES)
    assert CPU.arrived({"cpu": {"requested": 2, "plugged": 4, "guest": 2}}), "parked ones are no hindrance"
    assert MEMORY.arrived(SIZES), "who does not tell is believed"


@pytest.mark.parametrize(
    ("resource", "found", "wanted", "reached"),
    [
        (CPU, vmi(4), 4, True),
        (CPU, vmi(3), 4, False),
        (CPU, {}, 1, False),
        (MEMORY, vmi(current="2Gi", requested="2Gi"), "2Gi", True),
        (MEMORY, vmi(current="2Gi", requested="2Gi"), "2048Mi", True),
        (MEMORY, vmi(current="1Gi", requested="2Gi"), "2Gi", False),
        (MEMORY, vmi(current="2Gi", requested="2Gi"), "1Gi", False),
        (MEMORY, vmi(current="1432Mi", requested="1432Mi"), "1500M", True),
        (MEMORY, vmi(current="1432Mi", requested="1434Mi"), "1500M", False),
        (MEMORY, vmi(current="1434Mi", requested="1434Mi"), "1500M", False),
        (MEMORY, {}, "1Gi", False),
    ],
)
def test_whether_the_machine_is_there(resource: Resource, found: JsonObject, wanted: int | str, reached: bool) -> None:
    assert resource.reached(found, wanted) is reached


def test_the_condition_about_it() -> None:
    one: JsonObject = {"type": "HotVCPUChange", "status": "False"}
    found = vmi(conditions=["nonsense", {"type": "Ready"}, one])
    assert condition(found, CPU) == one
    assert condition(found, MEMORY) == {} == condition({}, CPU)
