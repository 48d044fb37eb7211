"""A terminal of our own: taken over, drawn on, given back."""

from __future__ import annotations

import os
import pty
import select
import signal
import termios
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from solovirt.cli import screen
from solovirt.cli.screen import CLEAR_LINE, ENTER, HOME, LEAVE


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """(master, slave); the screen's stdin and stdout are the slave (pytest has its own way with ours)."""
    master, slave = pty.openpty()
    source, sink = os.fdopen(os.dup(slave), "r"), os.fdopen(os.dup(slave), "w")
    monkeypatch.setattr(screen, "sys", SimpleNamespace(stdin=source, stdout=sink))
    yield master, slave
    monkeypatch.undo()
    for file in (source, sink):
        file.close()
    os.close(master)
    os.close(slave)


def said_on(master: int) -> str:
    """All that was written on the terminal so far."""
    data = b""
    while select.select([master], [], [], 0.1)[0]:
        data += os.read(master, 4096)
    return data.decode()


def handlers() -> list[object]:
    return [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGTSTP)]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), RuntimeError("x")])
def test_everything_is_as_it_was(tty: tuple[int, int], error: BaseException | None) -> None:
    master, slave = tty
    settings, before = termios.tcgetattr(slave), handlers()
    try:
        with screen.opened():
            assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON)
            if error is not None:
                raise error
    except (KeyboardInterrupt, RuntimeError) as raised:
        assert raised is error
    assert termios.tcgetattr(slave) == settings
    assert handlers() == before
    said = said_on(master)
    assert said.startswith(ENTER) and said.endswith(LEAVE)


def test_a_signal_that_ends_us_gives_the_terminal_back(tty: tuple[int, int]) -> None:
    master, slave = tty
    settings = termios.tcgetattr(slave)
    with pytest.raises(SystemExit) as raised, screen.opened() as terminal:
        os.kill(os.getpid(), signal.SIGTERM)
        terminal.wait(5)
    assert raised.value.code == 128 + signal.SIGTERM
    assert termios.tcgetattr(slave) == settings
    assert said_on(master).endswith(LEAVE)


def test_keys_sizes_and_time(tty: tuple[int, int]) -> None:
    master, _ = tty
    with screen.opened() as terminal:
        os.write(master, b"m")
        assert terminal.wait(5) == "m"
        os.kill(os.getpid(), signal.SIGWINCH)
        assert terminal.wait(5) == ""
        assert terminal.wait(0.01) == "timeout"


def test_lines_are_cut_to_the_terminal(tty: tuple[int, int]) -> None:
    master, slave = tty
    termios.tcsetwinsize(slave, (2, 10))
    with screen.opened() as terminal:
        assert terminal.size() == (10, 2)
        terminal.draw(["x" * 30, "head", "never"], reverse=1)
        said = said_on(master)
    shown = said.removeprefix(ENTER).replace("\r\n", "\n")
    assert shown.startswith(HOME + "x" * 10 + CLEAR_LINE + "\n\x1b[7mhead      \x1b[m")
    assert "never" not in shown
    assert shown.count("\n") == 1, "a line end after the last line would scroll"


def test_a_terminal_without_a_size(tty: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert screen.Screen.size() == (80, 24)
    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(screen, "sys", SimpleNamespace(stdout=nowhere))
        assert screen.Screen.size() == (80, 24)


def test_a_terminal_that_has_gone_reads_as_the_end() -> None:
    source, writer = os.pipe()
    wakeup, other = os.pipe()
    os.close(writer)
    assert screen.Screen(source, wakeup).wait(5) == "q"
    for descriptor in (source, wakeup, other):
        os.close(descriptor)
