from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor import logfile
from solovirt.kit.errors import HostError


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_appends_and_rotates(tmp_path: Path, directory: int) -> None:
    for _ in range(2):
        fd = logfile.open_log(directory)
        os.write(fd, b"line\n")
        os.close(fd)
    assert (tmp_path / "qemu.log").read_bytes() == b"line\nline\n"
    (tmp_path / "qemu.log").write_bytes(b"x" * (logfile.ROTATE_AT + 1))
    os.close(logfile.open_log(directory))
    assert (tmp_path / "qemu.log").stat().st_size == 0
    assert (tmp_path / "qemu.log.1").stat().st_size == logfile.ROTATE_AT + 1


def test_last_lines(directory: int) -> None:
    fd = logfile.open_log(directory)
    os.write(fd, b"old\n")
    since = os.fstat(fd).st_size
    assert logfile.last_lines(fd, since=since) == ""
    os.write(fd, b"a\n\n \x1b[1mb\xff\x00\n" + b"c\n")
    assert logfile.last_lines(fd, since=since) == "a\n[1mb\ufffd\nc"
    assert logfile.last_lines(fd, since=since, lines=1) == "c"
    os.write(fd, b"x" * 10**5)
    assert len(logfile.last_lines(fd)) <= 500
    os.close(fd)


def test_links_are_refused(tmp_path: Path, directory: int) -> None:
    (tmp_path / "qemu.log").symlink_to("/etc/passwd")
    with pytest.raises(HostError):
        logfile.open_log(directory)
    (tmp_path / "qemu.log").unlink()
    os.mkfifo(tmp_path / "qemu.log")
    with pytest.raises(HostError, match="not a regular file"):
        logfile.open_log(directory)


def test_a_log_is_cut_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "serial.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"1" * 100)
        assert not logfile.trim(tmp_path, "serial.log", 100)
        writer.write(b"2" * 50)
        assert logfile.trim(tmp_path, "serial.log", 100)
        writer.write(b"after")
    assert path.read_bytes() == b"after", "no hole before it"
    assert (tmp_path / "serial.log.1").read_bytes() == b"1" * 50 + b"2" * 50, "the end of what was there"
    path.write_bytes(b"3" * 101)
    assert logfile.trim(tmp_path, "serial.log", 100)
    assert (tmp_path / "serial.log.1").read_bytes() == b"3" * 100
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["serial.log", "serial.log.1"]


def test_a_log_is_cut_although_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "serial.log").write_bytes(b"x" * 200)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pread", full)
    assert logfile.trim(tmp_path, "serial.log", 100)
    assert [(entry.name, entry.stat().st_size) for entry in tmp_path.iterdir()] == [("serial.log", 0)]


def test_only_a_plain_file_of_its_own_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "vm"
    folder.mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"x" * 200)
    (folder / "link").symlink_to(victim)
    os.link(victim, folder / "hard")
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError):
        logfile.trim(folder, "link", 100)
    assert not logfile.trim(folder, "hard", 100)
    assert not logfile.trim(folder, "pipe", 100)
    (tmp_path / "linked").symlink_to(folder)
    with pytest.raises(OSError):
        logfile.trim(tmp_path / "linked", "hard", 100)
    assert victim.stat().st_size == 200


def test_a_log_is_provided_once(tmp_path: Path, directory: int) -> None:
    owner = (os.geteuid(), os.getegid())
    logfile.provide(directory, "serial.log", owner)
    (tmp_path / "serial.log").write_bytes(b"kept")
    logfile.provide(directory, "serial.log", owner)
    assert (tmp_path / "serial.log").read_bytes() == b"kept"
    assert (tmp_path / "serial.log").stat().st_mode & 0o777 == 0o600
