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
