from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli.commands.guest_online import choices, runs
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import JsonObject
from tests.support.agentreplies import LINUX
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    return Guest(api, LINUX)


def test_choices() -> None:
    assert choices(["1=off", "2-4=on, 9=off"]) == {1: False, 2: True, 3: True, 4: True, 9: False}
    assert choices([]) == {}


@pytest.mark.parametrize(
    "word",
    ["", "1", "1=", "=on", "1=maybe", "-1=on", "3-1=on", "1-99999999=on", "99999999999=on", "1=on,1=off", "²=on"],
)
def test_choices_that_are_none(word: str) -> None:
    with pytest.raises(BadRequest, match="--set"):
        choices([word])


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 5000), st.booleans(), max_size=10))
def test_choices_of_any_numbers(wanted: dict[int, bool]) -> None:
    assert choices([f"{number}={'on' if on else 'off'}" for number, on in wanted.items()]) == wanted


@settings(max_examples=50)
@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_runs_hold_each_block_once(present: set[int], online: set[int]) -> None:
    blocks: list[JsonObject] = [{"phys-index": n, "online": n in online} for n in sorted(present)]
    found = runs(blocks)
    assert [block for run in found for block in run] == blocks
    assert all(len({block["online"] for block in run}) == 1 for run in found)


def test_cpus(guest: Guest, run: Run) -> None:
    assert [line.split() for line in run("guest", "vcpus", "hello").out.splitlines()] == [
        ["CPU", "ONLINE", "CAN-OFFLINE"],
        ["0", "yes", "no"],
        ["1", "no", "yes"],
    ]
    assert [one["logical-id"] for one in json.loads(run("guest", "vcpus", "hello", "-o", "json").out)] == [0, 1]


def test_an_agent_that_stops_in_the_middle_is_asked_again(guest: Guest, run: Run) -> None:
    """Only then does it say why."""
    guest.says("guest-set-vcpus", 1)
    assert run("guest", "vcpus", "hello", "--set", "1-2=off", "--set", "3=on").code == 0
    sent = [one["arguments"] for one in guest.asked if one["command"] == "guest-set-vcpus"]
    two, three = {"logical-id": 2, "online": False}, {"logical-id": 3, "online": True}
    assert sent == [
        {"vcpus": [{"logical-id": 1, "online": False}, two, three]},
        {"vcpus": [two, three]},
        {"vcpus": [three]},
    ]
    del guest.replies["guest-set-vcpus"]
    assert run("guest", "vcpus", "hello", "--set", "1=off").code == 1


@pytest.mark.parametrize("reply", [0, -1, 5, True, "x", None])
def test_an_agent_that_lies(guest: Guest, run: Run, reply: int) -> None:
    guest.says("guest-set-vcpus", reply)
    done = run("guest", "vcpus", "hello", "--set", "1-2=off")
    assert (done.code, done.out) == (1, "") and "no number of CPUs" in done.err


def test_blocks(guest: Guest, run: Run) -> None:
    assert run("guest", "memory-blocks", "hello").out.splitlines() == [
        "BLOCKS   ADDRESS       SIZE        ONLINE   CAN-OFFLINE",
        "0-1      0x0           256.0 MiB   yes      yes",
        "2        0x10000000    128.0 MiB   no       yes",
        "32       0x100000000   128.0 MiB   no       yes",
    ]
    shown = json.loads(run("guest", "memory-blocks", "hello", "-o", "json").out)
    assert shown["size"] == 134217728 and [one["phys-index"] for one in shown["blocks"]] == [0, 1, 2, 32]


def test_blocks_that_stay(guest: Guest, run: Run) -> None:
    refused = {"phys-index": 1, "response": "operation-failed", "error-code": 16}
    guest.says("guest-set-memory-blocks", [{"phys-index": 0, "response": "success"}, refused])
    done = run("guest", "memory-blocks", "hello", "--set", "0-2=off")
    assert done.code == 1
    assert done.err == "block 1: operation-failed: Device or resource busy\n1 of them were not answered\n"
    assert guest.asked[0]["arguments"] == {"mem-blks": [{"phys-index": n, "online": False} for n in range(3)]}
