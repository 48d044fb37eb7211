"""The builder with real packages, as an ordinary user where the tests run as root."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.user import copy_of_solovirt, interpreter

pytestmark = pytest.mark.real

CODE = """
import sys
from pathlib import Path
from solovirt.host.tiny.build import build
build(Path(sys.argv[1]), progress=print)
"""
NOBODY = 65534


def test_an_ordinary_user_builds_it_and_the_second_time_is_quick() -> None:
    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    try:
        user = {}
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            # The checkout may lie where this user cannot look.
            "PYTHONPATH": str(copy_of_solovirt(folder / "code")),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        out = []
        for _ in range(2):
            done = subprocess.run(
                [interpreter(), "-c", CODE, str(folder / "out")], capture_output=True, text=True, timeout=300,
                env=environ, check=False, **user,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            out.append(done.stdout.splitlines())

        assert "choosing packages" in out[0]
        assert any(line.startswith("built vmlinuz, initrd, disk.qcow2") for line in out[0])
        assert out[1] == ["the tiny guest is up to date"]
        assert (folder / "out/initrd").read_bytes()[:6] == b"070701"
        assert (folder / "out/disk.qcow2").read_bytes()[:4] == b"QFI\xfb"
        assert not list((folder / "out").glob(".build-*"))
    finally:
        shutil.rmtree(folder)
