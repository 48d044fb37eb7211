"""The main path as an ordinary user, who has nothing but an account on this machine."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import system as systems
from tests.support import user as users
from tests.support.system import EXAMPLES, System

pytestmark = pytest.mark.real


@contextlib.contextmanager
def unprivileged() -> Iterator[tuple[System, int]]:
    """As root: a user made for this. Otherwise: whoever runs the tests."""
    if os.geteuid() == 0:
        with users.system_of_a_user() as (system, user):
            yield system, user.uid
    else:
        place = systems.folder()
        system = systems.local(place)
        try:
            yield system, os.geteuid()
        finally:
            system.end()


def test_main_path_as_an_ordinary_user() -> None:
    with unprivileged() as (system, uid):
        assert system.cli("daemon", "status").code == 3
        assert "solovirt/tiny" in system.ok("image", "build", "tiny", timeout=180)
        assert system.cli("daemon", "status").code == 0, "the daemon was started by the first command that needed it"
        hello = (EXAMPLES / "hello.yaml").read_bytes()
        assert system.ok("apply", "-f", "-", stdin=hello) == "virtualmachine.kubevirt.io/hello created\n"
        system.ok("wait", "vmi", "hello", "--for=create")
        system.ok("wait", "vmi", "hello", "--for=condition=AgentConnected", "--timeout=90s")
        done = system.cli("exec", "hello", "--", "/bin/sh", "-c", "uname -s; exit 4")
        assert (done.code, done.out) == (4, "Linux\n")
        pid = system.qemu("hello")
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
        for path, mode in ((system.state, 0o700), (system.runtime, 0o700), (system.runtime / "solovirt.sock", 0o600)):
            assert stat.S_IMODE(path.stat().st_mode) == mode, path
        system.ok("daemon", "stop")
        assert system.ok("get", "vm", "hello").split()[-2:] == ["Running", "True"], "a new daemon found the VM again"
        assert system.qemu("hello") == pid
        system.ok("stop", "hello", "--wait")
        system.ok("delete", "vm", "hello")
        system.check_clean()
        system.ok("daemon", "stop")
        check_unreadable_database(system)


def check_unreadable_database(system: System) -> None:
    database = system.state / "solovirt.db"
    database.chmod(0)
    done = system.cli("get", "vm", timeout=60)
    assert done.code == 1 and str(database) in done.err and "Traceback" not in done.err, done
    database.chmod(0o600)
    assert "No resources found" in system.cli("get", "vm").err
