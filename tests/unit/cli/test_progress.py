from __future__ import annotations

import pytest

from solovirt.cli import progress
from solovirt.cli.progress import Progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda fd: True)
    monkeypatch.setattr("os.get_terminal_size", lambda fd: __import__("os").terminal_size((20, 5)))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_one_line_on_a_terminal(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as show:
        show.text("one")
        show.text("one")
        show.text("a line that is too long for it")
        show.bytes("disk", 1 << 20, 4 << 20)
    start = "\r\x1b[K"
    assert capsys.readouterr().err == f"{start}one{start}a line that is too…{start}disk: 1.0 MiB of 4…{start}"


def test_the_line_is_wiped_whatever_happens(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), Progress() as show:
        show.text("one")
        raise KeyboardInterrupt
    assert capsys.readouterr().err.endswith("\r\x1b[K")


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as show:
        show.text("one")
        for done in range(5):
            show.bytes("disk", done, 5)
    assert capsys.readouterr().err == "one\ndisk\n"


def test_quiet_is_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True) as show:
        show.text("one")
    assert capsys.readouterr().err == ""


def test_terminals_that_cannot_rewrite(
    terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Progress(quiet=True) as show:
        show.text("one")
    assert capsys.readouterr().err == "one\n"


def test_styles(terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.styled(1)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not progress.styled(1)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not progress.styled(1)
