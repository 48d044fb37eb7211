from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.cli import saving
from solovirt.kit.errors import BadRequest, HostError


def breaking() -> Iterator[bytes]:
    yield b"half"
    raise ValueError("broken")


def test_a_file(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("before")
    assert saving.save(str(target), [b"ab", b"c"], 0o600) == 3
    assert target.read_bytes() == b"abc" and target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("before")
    with pytest.raises(ValueError, match="broken"):
        saving.save(str(target), breaking())
    assert target.read_text() == "before" and os.listdir(tmp_path) == ["f"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "f").symlink_to(tmp_path / "victim")
    saving.save(str(tmp_path / "f"), [b"x"])
    assert (tmp_path / "victim").read_text() == "mine" and (tmp_path / "f").read_text() == "x"


def test_places_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="is a directory"):
        saving.save(str(tmp_path), [])
    with pytest.raises(HostError, match="No such file"):
        saving.save(str(tmp_path / "nowhere" / "f"), [])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRequest, match="is no regular file"):
        saving.save(str(tmp_path / "pipe"), [b"x"])
    assert os.listdir(tmp_path) == ["pipe"] and (tmp_path / "pipe").is_fifo()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving.os, "write", full)
    with pytest.raises(HostError, match="f: No space left on device"):
        saving.save(str(tmp_path / "f"), [b"x"])
    assert os.listdir(tmp_path) == []


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert saving.save("-", [b"\xff", b"\0"]) == 2
    assert capfdbinary.readouterr().out == b"\xff\0"


def test_a_terminal_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving.os, "isatty", lambda fd: True)
    with pytest.raises(BadRequest, match="terminal"):
        saving.save("-", [b"x"])
