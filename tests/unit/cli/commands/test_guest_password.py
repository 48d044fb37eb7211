"""Passwords: where they are read from, and that they go into the request's body and nowhere else."""

from __future__ import annotations

import base64
import getpass
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solovirt.kit.jsontypes import get_object, get_str
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


@pytest.fixture
def guest(api: FakeApi) -> Guest:
    made = Guest(api, {})
    made.says("guest-set-user-password", {})
    return made


def sent(guest: Guest) -> tuple[str, bytes, object]:
    arguments = get_object(guest.asked[-1], "arguments")
    return get_str(arguments, "username"), base64.b64decode(get_str(arguments, "password")), arguments["crypted"]


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Makes descriptor 0 a file."""
    kept = os.dup(0)

    def give(data: bytes) -> None:
        (tmp_path / "stdin").write_bytes(data)
        opened = os.open(tmp_path / "stdin", os.O_RDONLY)
        os.dup2(opened, 0)
        os.close(opened)
        monkeypatch.setattr(sys, "stdin", io.StringIO())

    yield give
    os.dup2(kept, 0)
    os.close(kept)


def test_from_a_file(guest: Guest, run: Run, tmp_path: Path) -> None:
    (tmp_path / "word").write_bytes("pä ss\n".encode())
    done = run("guest", "set-password", "hello", "--user", "fedora", f"--password-file={tmp_path / 'word'}")
    assert (done.code, done.out) == (0, "the password of fedora in hello was changed\n")
    assert sent(guest) == ("fedora", "pä ss".encode(), False)
    assert guest.asked[0]["timeoutSeconds"] == 60


def test_from_stdin(guest: Guest, run: Run, stdin: Callable[[bytes], None]) -> None:
    stdin(b"$6$salt$hash\r\n")
    assert run("guest", "set-password", "hello", "--crypted").code == 0
    assert sent(guest) == ("root", b"$6$salt$hash", True)
    stdin(b"second")
    assert run("guest", "set-password", "hello", "--password-file", "-").code == 0
    assert sent(guest)[1] == b"second"


def test_from_a_terminal(guest: Guest, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    answers = iter(["one", "one", "one", "two", "", ""])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    assert run("guest", "set-password", "hello").code == 0
    assert sent(guest)[1] == b"one"
    assert "two different passwords" in run("guest", "set-password", "hello").err
    assert "no password was given" in run("guest", "set-password", "hello").err
    assert len(guest.asked) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no password"),
        (b"\n", "no password"),
        (b"a\nb\n", "more than one line"),
        (b"a\0b", "NUL"),
        (b"x" * 5000, "4096"),
    ],
)
def test_what_is_no_password(guest: Guest, run: Run, tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "word").write_bytes(data)
    assert said in run("guest", "set-password", "hello", f"--password-file={tmp_path / 'word'}").err
    assert guest.asked == []


def test_a_file_that_is_not_there(guest: Guest, run: Run) -> None:
    assert "No such file" in run("guest", "set-password", "hello", "--password-file", "/nonexistent/x").err


def test_not_over_the_network_in_the_clear(run: Run, tmp_path: Path) -> None:
    (tmp_path / "word").write_bytes(b"secret")
    words = ("guest", "set-password", "hello", "--server", "http://127.0.0.1:1", f"--password-file={tmp_path / 'word'}")
    done = run(*words)
    assert done.code == 1 and "in the clear" in done.err and "secret" not in done.err
