"""What a program has that serves a directory: that directory, and no power over anything else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from solovirt.host import access
from solovirt.hypervisor import confine

pytestmark = [pytest.mark.real, pytest.mark.skipif(not access.is_root(), reason="a root daemon's way")]

IDS = f"{access.SHARES}:{access.SHARED_IDS}"


@pytest.fixture
def share(root: Path) -> Path:
    directory = root / "shared/files"
    directory.mkdir(parents=True)
    directory.parent.chmod(0o700)
    os.chown(directory, access.SHARES, access.SHARES)
    return directory


def run(share: Path, script: str, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-I", "-S", confine.__file__, "--share", str(share), "--ids", IDS, *more]
    return subprocess.run(
        [*words, "--", "/bin/sh", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )


def test_it_is_root_over_the_ids_of_shares_only(share: Path) -> None:
    done = run(share, "id -u && touch @share@/a && chown 1000:1000 @share@/a && cat /proc/self/uid_map")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "0", str(access.SHARES), str(access.SHARED_IDS)]
    assert (share / "a").stat().st_uid == access.SHARES + 1000


def test_nothing_else_of_the_host_is_open_to_it(share: Path, root: Path) -> None:
    (root / "secret").write_text("secret")
    (root / "secret").chmod(0o600)
    root.chmod(0o711)
    for script in (f"cat {root}/secret", f"ls {share}", f"touch {root}/new", "kill -0 1", "cat /etc/shadow"):
        assert run(share, script).returncode != 0, script
    assert not (root / "new").exists()


def test_no_devices_and_no_privileges_through_files(share: Path) -> None:
    assert run(share, "mknod @share@/disk b 8 0").returncode != 0
    options = run(share, "grep ' @share@ ' /proc/self/mounts").stdout.split()[3].split(",")
    assert {"nosuid", "nodev", "noexec", "rw"} <= set(options)


def test_read_only(share: Path) -> None:
    done = run(share, "touch @share@/a", "--read-only")
    assert done.returncode != 0 and "Read-only" in done.stderr
    assert not list(share.iterdir())


def test_its_mounts_are_its_own(share: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    assert run(share, "true").returncode == 0
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_directory_that_is_not_there(share: Path) -> None:
    done = run(share / "none", "true")
    assert done.returncode == 1 and "cannot be shared" in done.stderr and "Traceback" not in done.stderr
