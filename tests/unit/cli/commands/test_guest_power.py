from __future__ import annotations

import pytest

from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.commands.guestapi import GUEST, Guest
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("words", "mode", "said"),
    [
        (["shutdown"], "powerdown", "hello was told to shut down"),
        (["shutdown", "--mode", "halt"], "halt", "hello was told to shut down"),
        (["shutdown", "--mode", "reboot"], "reboot", "hello was told to reboot"),
        (["reboot"], "reboot", "hello was told to reboot"),
    ],
)
def test_shutdown(api: FakeApi, run: Run, words: list[str], mode: str, said: str) -> None:
    guest = Guest(api, {})
    guest.says("guest-shutdown", {})
    assert run("guest", words[0], "hello", *words[1:]).out == f"{said}\n"
    assert guest.asked == [{"command": "guest-shutdown", "arguments": {"mode": mode}}]


@pytest.mark.parametrize("mode", ["ram", "disk", "hybrid"])
def test_suspend(api: FakeApi, run: Run, mode: str) -> None:
    api.on("PUT", f"{GUEST}/suspend", Answer())
    done = run("guest", f"suspend-{mode}", "hello", "--timeout", "2m")
    assert done.code == 0 and done.out.startswith("hello is suspended to ")
    assert api.requests[0].body == {"mode": mode, "timeoutSeconds": 120}


def test_what_the_guest_says_against_it(api: FakeApi, run: Run) -> None:
    text = "guest-suspend-disk: child process has failed to suspend (the guest needs swap)"
    api.on("PUT", f"{GUEST}/suspend", status(500, "CommandFailed", text))
    done = run("guest", "suspend-disk", "hello")
    assert (done.code, done.err) == (1, f"Error from server (CommandFailed): {text}\n")


def test_wakeup(api: FakeApi, run: Run) -> None:
    api.on("PUT", f"{GUEST}/wakeup", Answer(), status(409, "Conflict", "VMI is not suspended"))
    assert run("guest", "wakeup", "hello").out == "hello is awake\n"
    assert "VMI is not suspended" in run("guest", "wakeup", "hello").err
