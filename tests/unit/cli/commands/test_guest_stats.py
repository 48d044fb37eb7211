from __future__ import annotations

import json

import pytest

from tests.support.agentreplies import LINUX
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    return Guest(api, LINUX)


def test_cpus(guest: Guest, run: Run) -> None:
    header, first, second = (line.split() for line in run("guest", "cpustats", "hello").out.splitlines())
    assert header[:3] == ["CPU", "BUSY", "USER"] and header[-1] == "GUESTNICE"
    assert first == ["0", "0.0", "0.0", "0.0", "0.0"], "what an old kernel does not count is empty"
    assert second == ["1", "10%", "0.5", "0.0", "0.5", "9.0", "0.0", "0.0", "0.0", "0.0", "0.0", "0.0"]
    shown = json.loads(run("guest", "cpustats", "hello", "-o", "json").out)
    assert [one["cpu"] for one in shown] == [0, 1] and shown[1]["idle"] == 9000


def test_time_of_guests_is_not_counted_twice(guest: Guest, run: Run) -> None:
    guest.says("guest-get-cpustats", [{"cpu": 0, "user": 100, "guest": 100, "idle": 100}])
    assert run("guest", "cpustats", "hello").out.splitlines()[1].split()[:2] == ["0", "50%"]


def test_disks(guest: Guest, run: Run) -> None:
    _, row = (line.split("  ") for line in run("guest", "diskstats", "hello").out.splitlines())
    assert [cell.strip() for cell in row if cell.strip()] == ["vda", "10", "1.0 MiB", "2", "8.0 KiB", "0", "1.5s"]


def test_an_older_agent(guest: Guest, run: Run) -> None:
    guest.replies.clear()
    for verb in ("cpustats", "diskstats"):
        done = run("guest", verb, "hello")
        assert done.code == 1 and "CommandNotFound" in done.err
