from __future__ import annotations

import json
import time

import pytest

from solovirt.kit.jsontypes import get_int, get_object
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    made = Guest(api, {})
    made.says("guest-set-time", {})
    made.says("guest-get-time", 1718012345678901200)
    return made


def test_it_is_shown_beside_ours(guest: Guest, run: Run) -> None:
    assert run("guest", "time", "hello").out.startswith("2024-06-10T09:39:05.678Z  ")
    assert run("guest", "time", "hello").out.endswith(" s behind here\n")
    shown = json.loads(run("guest", "time", "hello", "-o", "json").out)
    assert shown["time"] == 1718012345678901200 and shown["ahead"] < 0
    guest.says("guest-get-time", time.time_ns())
    assert run("guest", "time", "hello").out.endswith("  as here\n")
    guest.says("guest-get-time", time.time_ns() + 3600 * 10**9)
    assert " s ahead of here" in run("guest", "time", "hello").out
    guest.says("guest-get-time", 1 << 100)
    assert run("guest", "time", "hello").out.startswith(f"{1 << 100} ns since 1970")


def test_setting_it(guest: Guest, run: Run) -> None:
    before = time.time_ns()
    assert run("guest", "time", "hello", "--set").code == 0
    assert run("guest", "time", "hello", "--set", "now").code == 0
    assert run("guest", "time", "hello", "--set", "2026-01-02T03:04:05.5+01:00").code == 0
    sent = [get_int(get_object(one, "arguments"), "time") for one in guest.asked if one["command"] == "guest-set-time"]
    assert before <= sent[0] <= sent[1] <= time.time_ns()
    assert sent[2] == 1767319445500000000


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-02", "12"])
def test_times_that_are_none(guest: Guest, run: Run, text: str) -> None:
    assert "neither now nor a time" in run("guest", "time", "hello", "--set", text).err
    assert guest.asked == []


@pytest.mark.parametrize("reply", ["1", None, True, {}])
def test_a_reply_that_is_no_time(guest: Guest, run: Run, reply: str) -> None:
    guest.says("guest-get-time", reply)
    assert "the reply is no time" in run("guest", "time", "hello").err
