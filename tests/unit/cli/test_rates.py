"""Rates out of two answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli.rates import SORTS, rows
from solovirt.kit.jsontypes import Json, JsonObject


def item(name: str = "web", at: float = 10.0, **figures: Json) -> JsonObject:
    metadata: JsonObject = {"namespace": "default", "name": name, "uid": f"uid-{name}"}
    return {"metadata": metadata, "figures": {"at": at, **figures}, "errors": []}


def answer(*items: Json, cpus: int = 4) -> JsonObject:
    return {"host": {"cpus": cpus, "memory": 1 << 34}, "items": list(items)}


def process(seconds: float, resident: int = 4096) -> JsonObject:
    return {"user": seconds, "system": 1.0, "resident": resident, "uptime": 60.5}


def test_a_machine() -> None:
    guest: JsonObject = {"total": 100, "available": 70, "free": 10}
    old = item(
        process=process(1.0),
        disks=[{"name": "a", "readBytes": 0, "reads": 1}, {"name": "b", "readBytes": 10, "reads": 1}],
        nics=[{"name": "n", "rxBytes": 5, "txBytes": 0}],
        vcpus=[{"index": 0, "seconds": 1.0, "delay": 0.0}],
    )
    new = item(
        at=12.0,
        process=process(5.0),
        memory={"domain": 128, "balloon": 96, "guest": guest},
        disks=[{"name": "a", "readBytes": 200, "reads": 3}, {"name": "b", "readBytes": 10, "reads": 1}],
        nics=[{"name": "n", "rxBytes": 25, "txBytes": 4}],
        vcpus=[{"index": 0, "seconds": 2.0, "delay": 0.2}, {"index": 1, "seconds": 3.0, "delay": None}],
    )
    (row,) = rows(answer(old), answer(new))
    assert (row.namespace, row.name) == ("default", "web")
    assert row.cpu == 50, "4 s of CPU in 2 s on a host with 4 CPUs"
    assert row.vcpus == (50, 0), "a vCPU that was plugged meanwhile has no rate yet"
    assert row.delays == (pytest.approx(10), 0)
    assert (row.read_bytes, row.reads, row.writes) == (100, 1, 0)
    assert (row.rx_bytes, row.tx_bytes) == (10, 2)
    assert (row.resident, row.domain, row.balloon, row.guest_used, row.uptime) == (4096, 128, 96, 30, 60.5)


def test_what_is_new_or_unknown_has_no_rate() -> None:
    (row,) = rows(answer(), answer(item(process=process(5.0))))
    assert (row.cpu, row.read_bytes, row.rx_bytes) == (None, None, None)
    assert row.resident == 4096
    (row,) = rows(answer(item()), answer({**item(), "figures": None, "errors": ["slow"]}))
    assert (row.cpu, row.resident, row.errors) == (None, None, ("slow",))


def test_a_counter_that_began_anew_is_no_negative_rate() -> None:
    old, new = item(nics=[{"rxBytes": 500}]), item(at=11.0, nics=[{"rxBytes": 3}])
    (row,) = rows(answer(old), answer(new))
    assert row.rx_bytes == 0


def test_another_machine_of_the_same_name_is_another_machine() -> None:
    old, new = item(process=process(1.0)), item(at=11.0, process=process(9.0))
    new["metadata"] = {"namespace": "default", "name": "web", "uid": "other"}
    (row,) = rows(answer(old), answer(new))
    assert row.cpu is None


@pytest.mark.parametrize("sort", SORTS)
def test_order(sort: str) -> None:
    figures: dict[str, JsonObject] = {
        "b": {"process": process(9.0, resident=9), "disks": [{"readBytes": 9}], "nics": [{"rxBytes": 9}]},
        "a": {"process": process(1.0, resident=1), "disks": [{"readBytes": 1}], "nics": [{"rxBytes": 1}]},
    }
    zero: JsonObject = {"process": process(0.0, resident=0), "disks": [{"readBytes": 0}], "nics": [{"rxBytes": 0}]}
    old = answer(*(item(name, **zero) for name in figures))
    found = rows(old, answer(*(item(name, at=11.0, **more) for name, more in figures.items())), sort)
    assert [row.name for row in found] == (["a", "b"] if sort in ("name", "uptime") else ["b", "a"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["at", "process", "user", "disks", "reads", "vcpus", "index", "guest"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON, JSON)
def test_no_answer_is_an_error(before: Json, now: Json) -> None:
    rows(answer(before), answer(now))
    both = [answer({**item(), "figures": value}) for value in (before, now)]
    rows(both[0], both[1])
