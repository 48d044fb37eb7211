from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.model.bindings import Sockets
from solovirt.hypervisor import sockets
from solovirt.kit.errors import HostError
from tests.support import descriptors


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def connect(path: Path) -> tuple[socket.socket, sockets.Peer]:
    return sockets.connect(str(path), uid=os.geteuid())


def test_connects_and_knows_the_peer(folder: Path) -> None:
    with listen(folder / "s") as server:
        connection, peer = connect(folder / "s")
        with connection, server.accept()[0] as other:
            other.send(b"x")
            assert connection.recv(1) == b"x"
            assert peer == sockets.Peer(os.getpid(), os.geteuid(), os.getegid())
            assert not connection.getblocking()
            assert not os.get_inheritable(connection.fileno())


def test_a_path_longer_than_an_address(folder: Path) -> None:
    deep = folder / ("d" * 200)
    deep.mkdir(mode=0o700)
    with listen(folder / "s"):
        os.rename(folder / "s", deep / "s")
        connect(deep / "s")[0].close()


def test_a_link_to_a_socket_is_not_followed(folder: Path) -> None:
    with listen(folder / "real"):
        (folder / "s").symlink_to(folder / "real")
        with pytest.raises(HostError, match="is not a socket") as caught:
            connect(folder / "s")
        assert caught.value.reason == "UnsafeSocket"


def test_a_link_to_the_directory_is_not_followed(folder: Path) -> None:
    (folder / "real").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "real")
    with listen(folder / "real" / "s"), pytest.raises(OSError):
        connect(folder / "link" / "s")


def test_a_directory_open_to_others_is_refused(folder: Path) -> None:
    folder.chmod(0o755)
    with listen(folder / "s"), pytest.raises(HostError, match="is open to other users"):
        connect(folder / "s")


def test_a_socket_of_another_user_is_refused(folder: Path) -> None:
    with listen(folder / "s"), pytest.raises(HostError, match=f"belongs to uid {os.geteuid()}, expected 4242"):
        sockets.connect(str(folder / "s"), uid=4242)


def test_what_is_not_there_or_dead_is_an_os_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(folder / "s")
    listen(folder / "s").close()
    with pytest.raises(ConnectionRefusedError):
        connect(folder / "s")


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = descriptors.count()
    (folder / "file").touch()
    for name in ("file", "missing"):
        with pytest.raises((HostError, OSError)):
            connect(folder / name)
    assert descriptors.count() == before


def test_remove_all_takes_only_sockets(folder: Path) -> None:
    listen(folder / "qmp.sock").close()
    (folder / "serial.sock").write_text("precious")
    paths = [str(folder / name) for name in ("qmp.sock", "agent.sock", "serial.sock", "vnc.sock")]
    sockets.remove_all(Sockets(*paths, serial_log=""))
    assert [file.name for file in folder.iterdir()] == ["serial.sock"]


def test_make_directories(folder: Path) -> None:
    paths = [str(folder / "run" / "uid" / name) for name in ("qmp.sock", "agent.sock", "serial.sock", "vnc.sock")]
    for _ in range(2):
        sockets.make_directories(Sockets(*paths, serial_log=""), None)
    assert (folder / "run" / "uid").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_was_not_given_away_in_time_is_given_away_now(tmp_path: Path) -> None:
    folder = tmp_path / "vmi"
    folder.mkdir(mode=0o700)
    paths = Sockets(*(str(folder / name) for name in ("qmp", "agent", "serial", "vnc")), serial_log="")
    sockets.make_directories(paths, (4711, 4712))
    assert (folder.stat().st_uid, folder.stat().st_gid) == (4711, 4712)
