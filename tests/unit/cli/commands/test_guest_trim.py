from __future__ import annotations

import pytest

from tests.support.agentreplies import LINUX, WINDOWS
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


def test_what_could_not_be_trimmed_is_a_failure(api: FakeApi, run: Run) -> None:
    guest = Guest(api, LINUX)
    done = run("guest", "trim", "hello", "--minimum", "64Ki", "--timeout", "1m")
    assert done.out.splitlines() == [
        "PATH    TRIMMED   ERROR",
        "/       1.0 MiB",
        "/boot             trim not supported",
    ]
    assert done.code == 1
    assert guest.asked == [{"command": "guest-fstrim", "arguments": {"minimum": 65536}, "timeoutSeconds": 60}]


def test_windows_does_not_say_how_much(api: FakeApi, run: Run) -> None:
    Guest(api, WINDOWS)
    done = run("guest", "trim", "hello")
    assert (done.code, done.out.splitlines()[1]) == (1, "C:\\")


def test_nothing_to_trim(api: FakeApi, run: Run) -> None:
    Guest(api, {}).says("guest-fstrim", {"paths": []})
    done = run("guest", "trim", "hello")
    assert (done.code, done.out) == (0, "") and "no file system" in done.err


@pytest.mark.parametrize("text", ["x", "-1", "1Zi", "99999999999999999999"])
def test_sizes_that_are_none(run: Run, text: str) -> None:
    done = run("guest", "trim", "hello", f"--minimum={text}")
    assert done.code == 1 and "--minimum" in done.err
