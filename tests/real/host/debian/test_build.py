"""The scripts of the Debian guest are shell, and a built guest is not built again."""

import os
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from solovirt.host.debian.build import build
from tests.support import debianguest

pytestmark = pytest.mark.real


def test_the_scripts_are_shell() -> None:
    for script in sorted(Path(str(resources.files("solovirt.host.debian") / "hooks")).iterdir()):
        done = subprocess.run(["/bin/sh", "-n", os.fspath(script)], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_it_is_small_and_is_not_built_twice() -> None:
    debian = debianguest.image()
    written = debian.disk.stat().st_mtime_ns
    said: list[str] = []
    again = build(debianguest.FOLDER, progress=said.append)

    assert (again, said) == (debian, ["the Debian guest is up to date"])
    assert debian.disk.stat().st_mtime_ns == written
    assert debian.disk.stat().st_size < 700 << 20
    assert debian.disk.read_bytes()[:4] == b"QFI\xfb"
    assert not list(debianguest.FOLDER.glob(".build-*"))
