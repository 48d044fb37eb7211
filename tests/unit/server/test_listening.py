import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.server import listening


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sv-", dir="/tmp") as name:
        yield Path(name)


def test_only_we_can_connect(folder: Path) -> None:
    before = os.umask(0o022)
    try:
        made = listening.listen(folder / "s")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "s"))
    made.close()


def test_a_stale_socket_is_replaced(folder: Path) -> None:
    listening.listen(folder / "s").close()
    assert (folder / "s").exists()
    listening.listen(folder / "s").close()


def test_a_file_in_the_way_stays(folder: Path) -> None:
    (folder / "s").write_text("precious")
    with pytest.raises(HostError, match="is in the way"):
        listening.listen(folder / "s")
    assert (folder / "s").read_text() == "precious"


def test_a_path_that_is_too_long(folder: Path) -> None:
    with pytest.raises(HostError, match="107 bytes"):
        listening.listen(folder / ("x" * 120))


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "7", "LISTEN_FDS": "x"}]
)
def test_no_activation(environ: dict[str, str]) -> None:
    assert listening.inherited(environ, 7) == []


def test_activation(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = listening.listen(folder / "s")
    monkeypatch.setattr(listening, "FIRST_FD", given.detach())
    [found] = listening.inherited({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, 7)
    assert found.getsockname() == str(folder / "s") and not found.get_inheritable()
    found.close()


def test_activation_with_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    given = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    monkeypatch.setattr(listening, "FIRST_FD", given.detach())
    with pytest.raises(HostError, match="only unix stream sockets"):
        listening.inherited({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, 7)
