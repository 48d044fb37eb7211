import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths
from solovirt.server import directories


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def paths() -> Iterator[Paths]:
    """Below /tmp directly: pytest's own directories are too deep for sockets."""
    root = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    yield Paths(root / "lib" / "state", root / "run" / "runtime")
    shutil.rmtree(root)


def test_directories_are_private_for_a_user(paths: Paths) -> None:
    # The fixture's owner is whoever runs the tests: modes are what this is about.
    directories._make(paths.state, directories.PRIVATE, os.geteuid())
    assert mode(paths.state) == 0o700


def test_directories_can_be_passed_through_for_root(paths: Paths) -> None:
    directories._make(paths.state, directories.PASSAGE, os.geteuid())
    assert mode(paths.state) == 0o711


def test_prepare_is_repeatable_and_corrects_modes(paths: Paths) -> None:
    directories.prepare(paths, os.geteuid())
    wanted = 0o711 if os.geteuid() == 0 else 0o700
    paths.runtime.chmod(0o777)
    directories.prepare(paths, os.geteuid())
    assert (mode(paths.state), mode(paths.runtime)) == (wanted, wanted)


def test_a_directory_of_somebody_else(paths: Paths) -> None:
    paths.state.mkdir(parents=True)
    with pytest.raises(HostError, match="belongs to user"):
        directories._make(paths.state, 0o700, os.geteuid() + 1)


def test_a_link_in_its_place(paths: Paths, tmp_path: Path) -> None:
    paths.state.parent.mkdir(parents=True)
    paths.state.symlink_to(tmp_path)
    with pytest.raises(HostError) as caught:
        directories.prepare(paths, os.geteuid())
    assert caught.value.reason == "DirectoryUnusable"


def test_a_file_in_its_place(paths: Paths) -> None:
    paths.state.parent.mkdir(parents=True)
    paths.state.write_text("x")
    with pytest.raises(HostError, match="SOLOVIRT_STATE_DIR"):
        directories.prepare(paths, os.geteuid())


def test_a_runtime_directory_that_is_too_deep_for_sockets(paths: Paths) -> None:
    """Said once at the start, not at every machine's."""
    deep = Paths(paths.state, paths.runtime / ("x" * 60))
    with pytest.raises(HostError, match="more than 54 bytes") as caught:
        directories.prepare(deep, os.geteuid())
    assert "SOLOVIRT_RUNTIME_DIR" in caught.value.hint
    assert not paths.runtime.exists()
