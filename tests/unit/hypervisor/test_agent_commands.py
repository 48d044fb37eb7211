from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor.agent_commands import NOT_WINDOWS, SINCE, WINDOWS_ONLY, hint, redacted

DISABLED = "Command guest-exec has been disabled: the command is not allowed"
FROZEN = "Command guest-exec has been disabled: the agent is in frozen state"


@pytest.mark.parametrize(
    ("command", "reason", "text", "expected"),
    [
        ("guest-get-load", "CommandNotFound", "has not been found", "qemu-guest-agent has it since 10.0"),
        ("guest-get-cpustats", "CommandNotFound", "has not been found", "since 7.1"),
        ("guest-set-vcpus", "CommandNotFound", "has not been found", "since 1.5; not on Windows"),
        ("guest-nothing", "CommandNotFound", "has not been found", "no known qemu-guest-agent has it"),
        ("guest-exec", "CommandDisabled", DISABLED, "BLOCK_RPCS"),
        ("guest-exec", "CommandDisabled", FROZEN, "solovirt guest thaw"),
        ("guest-get-devices", "CommandDisabled", "has been disabled", "only Windows agents"),
        ("guest-suspend-ram", "CommandFailed", "the requested suspend mode is not supported", "/sys/power/state"),
        ("guest-file-open", "CommandFailed", "No such file", ""),
    ],
)
def test_hints(command: str, reason: str, text: str, expected: str) -> None:
    found = hint(command, reason, text)
    assert expected in found and bool(found) == bool(expected)


def test_every_command_that_is_named_is_known() -> None:
    assert SINCE.keys() >= WINDOWS_ONLY | NOT_WINDOWS


def test_a_password_is_not_repeated() -> None:
    told = {"username": "root", "password": base64.b64encode(b"hunter2").decode(), "crypted": False}
    said = f"child failed: root:hunter2 ({told['password']})"
    assert redacted(said, "guest-set-user-password", told) == "child failed: root:*** (***)"
    assert redacted(said, "guest-exec", told) == said
    assert redacted(said, "guest-set-user-password", None) == said
    assert redacted("x %%%", "guest-set-user-password", {"password": "%%%"}) == "x ***"
    assert redacted("nothing", "guest-set-user-password", {"password": ""}) == "nothing"


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_it_is(password: str, before: str, after: str) -> None:
    told = {"password": base64.b64encode(password.encode("utf-8", "replace")).decode()}
    shown = redacted(before + password + after, "guest-set-user-password", told)
    plain = password.encode("utf-8", "replace").decode()
    assert plain not in shown or plain in "***"
