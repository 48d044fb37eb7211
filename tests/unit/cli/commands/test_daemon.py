from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.cli.commands import daemon
from solovirt.cli.main import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOLOVIRT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def running(place: Path) -> Iterator[Path]:
    """A daemon as far as one can tell from outside: its file, and its lock held."""
    (place / "daemon.json").write_text(json.dumps({"pid": os.getpid(), "version": "9"}))
    with open(place / "daemon.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def test_not_running(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["daemon", "status"]) == 3
    assert "not running" in capsys.readouterr().out
    assert main(["daemon", "stop"]) == 0


def test_a_file_left_behind_proves_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "daemon.json").write_text('{"pid": 1}')
    (place / "daemon.lock").touch()
    assert main(["daemon", "status", "-o", "json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"running": False, "socket": str(place / "solovirt.sock")}


def test_running(running: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["daemon", "status", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pid"], found["version"], found["socket"]) == (os.getpid(), "9", str(running / "solovirt.sock"))
    assert main(["daemon", "status"]) == 0
    assert f"pid {os.getpid()}" in capsys.readouterr().out


def test_asking_does_not_take_the_lock(running: Path) -> None:
    assert daemon.lock_is_held()
    assert daemon.lock_is_held()
