from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli.commands.guest_keys import fingerprint
from tests.support.apiserver import FakeApi, status
from tests.unit.cli.commands.guestapi import GUEST, Guest
from tests.unit.cli.conftest import Run

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJGb8Ig0xMX1cfEZmYPDq2jIHlIBwtDZx2m6e4rU6lUe"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OPTIONS = 'from="10.0.0.0/8",command="echo \\"hi\\""'


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    made = Guest(api, {})
    made.says(
        "guest-ssh-get-authorized-keys",
        {"keys": [f"{KEY} me@here", f"{OPTIONS} {OTHER}\tother one", "garbage\x1b[31m"]},
    )
    made.says("guest-ssh-add-authorized-keys", {})
    made.says("guest-ssh-remove-authorized-keys", {})
    return made


def last(guest: Guest) -> object:
    return guest.asked[-1]["arguments"]


def test_ls(guest: Guest, run: Run) -> None:
    lines = run("guest", "ssh-keys", "ls", "hello").out.splitlines()
    assert lines[0].split() == ["TYPE", "FINGERPRINT", "COMMENT"]
    assert [line.split(maxsplit=2) for line in lines[1:3]] == [
        ["ssh-ed25519", fingerprint(KEY), "me@here"],
        ["ssh-ed25519", fingerprint(OTHER), "other one"],
    ]
    assert lines[3].startswith("?") and "\x1b" not in lines[3]
    assert last(guest) == {"username": "root"}
    assert json.loads(run("guest", "ssh-keys", "ls", "hello", "-o", "json").out)[0] == f"{KEY} me@here"


def test_no_file_yet_is_no_key(api: FakeApi, run: Run) -> None:
    said = "guest-ssh-get-authorized-keys: failed to read '/root/.ssh/authorized_keys': No such file or directory"
    api.on("POST", f"{GUEST}/agent", status(500, "CommandFailed", said))
    done = run("guest", "ssh-keys", "ls", "hello")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    api.on("POST", f"{GUEST}/agent", status(500, "CommandFailed", "failed to lookup user 'x'"))
    assert run("guest", "ssh-keys", "ls", "hello", "--user", "x").code == 1


def test_add(guest: Guest, run: Run, tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text(f"# mine\n\n{KEY} me\n{KEY} me\n")
    done = run("guest", "ssh-keys", "add", "hello", str(tmp_path / "id.pub"), OTHER, "--user", "fedora")
    assert (done.code, done.out) == (0, "2 keys of fedora in hello added\n")
    assert last(guest) == {"username": "fedora", "keys": [f"{KEY} me", OTHER]}
    assert run("guest", "ssh-keys", "add", "hello", KEY, "--reset").out == "1 key of root in hello added\n"
    assert last(guest) == {"username": "root", "keys": [KEY], "reset": True}


@pytest.mark.parametrize("how", [f"{KEY} new comment", fingerprint(KEY), "me@here"])
def test_rm_sends_the_line_as_the_guest_has_it(guest: Guest, run: Run, how: str) -> None:
    assert run("guest", "ssh-keys", "rm", "hello", how).out == "1 key of root in hello removed\n"
    assert last(guest) == {"username": "root", "keys": [f"{KEY} me@here"]}


def test_rm_of_a_line_that_is_not_printable(guest: Guest, run: Run) -> None:
    assert run("guest", "ssh-keys", "rm", "hello", fingerprint(OTHER)).code == 0
    assert last(guest) == {"username": "root", "keys": [f"{OPTIONS} {OTHER}\tother one"]}
    done = run("guest", "ssh-keys", "rm", "hello", "nobody")
    assert done.code == 1 and "the guest has no key nobody" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "hello"], "no key was given"),
        (["ls", "hello", "x"], "ls takes no keys"),
        (["rm", "hello", "x", "--reset"], "--reset goes with add"),
        (["add", "hello", "/nonexistent/x"], "No such file"),
        (["add", "hello", "/dev/null"], "there is no key"),
        (["add", "hello", "/proc/version"], "no line of authorized_keys"),
    ],
)
def test_wrong_calls(guest: Guest, run: Run, words: list[str], said: str) -> None:
    done = run("guest", "ssh-keys", *words)
    assert done.code == 1 and said in done.err
    assert guest.asked == []


def test_a_private_key_stays_here(guest: Guest, run: Run, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    done = run("guest", "ssh-keys", "add", "hello", str(tmp_path / "id"))
    assert "is a private key" in done.err and "AAAA" not in done.err and guest.asked == []


def test_fingerprints_are_those_of_ssh_keygen() -> None:
    assert fingerprint(KEY) == "SHA256:dPstKv49Q4oVyPlI8CtGeAUYfQRlcOAw7webMcNZzxg"
    assert fingerprint("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJGb8Ig0") == "", "says one type and holds another"


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_line(line: str) -> None:
    assert fingerprint(line) == ""
