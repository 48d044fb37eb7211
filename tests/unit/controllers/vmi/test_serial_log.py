from __future__ import annotations

import os
from pathlib import Path

from solovirt.controllers.vmi.serial_log import keep_small


def test_a_small_log_stays(tmp_path: Path) -> None:
    assert not keep_small(tmp_path)
    assert not keep_small(tmp_path / "nothing")
    (tmp_path / "serial.log").write_bytes(b"x" * 10)
    assert not keep_small(tmp_path, 10)
    assert (tmp_path / "serial.log").read_bytes() == b"x" * 10


def test_a_large_log_is_moved_aside_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old" + b"y" * 10)
        assert keep_small(tmp_path, 10)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "serial.log.1").read_bytes() == b"y" * 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["serial.log", "serial.log.1"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"z" * 100)
    folder = tmp_path / "machine"
    folder.mkdir()
    os.link(target, folder / "serial.log")
    assert not keep_small(folder, 10)
    (folder / "serial.log").unlink()
    (folder / "serial.log").symlink_to(target)
    (folder / "serial.log.new").symlink_to(target)
    try:
        assert not keep_small(folder, 1)
    except OSError:
        pass
    assert target.read_bytes() == b"z" * 100
