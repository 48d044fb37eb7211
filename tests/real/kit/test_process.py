from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.memlock import may_lock
from solovirt.kit.process import Child, describe_exit, spawn
from tests.support import descriptors

pytestmark = pytest.mark.real


@pytest.fixture
def out(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def start(out: int, script: str, **more: object) -> Child:
    return spawn(["/bin/sh", "-c", script], cwd=Path("/"), stdout=out, stderr=out, **more)  # type: ignore[arg-type]


def said(out: int) -> str:
    return os.pread(out, 10_000, 0).decode()


async def test_exit_status(out: int) -> None:
    assert await start(out, "exit 0").wait() == 0
    assert await start(out, "exit 3").wait() == 3
    child = start(out, "sleep 30")
    assert not child.has_exited
    assert child.signal(signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM
    assert child.has_exited
    assert not child.signal()
    assert await child.wait() == -signal.SIGTERM


async def test_what_a_child_gets(out: int, tmp_path: Path) -> None:
    extra = os.open(tmp_path, os.O_RDONLY)
    other = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(other, True)
    child = start(
        out,
        "cd /proc/self; umask; ps -o sid= -p $$; echo $$; readlink cwd; readlink fd/0; echo $A$HOME; ls fd",
        pass_fds=(extra,),
        env={"A": "1"},
    )
    assert await child.wait() == 0
    os.close(extra)
    os.close(other)
    umask, session, pid, _cwd, stdin, environment, *fds = said(out).split()
    assert (umask, stdin, environment) == ("0077", "/dev/null", "1")
    assert session == pid == str(child.pid)
    assert set(fds) >= {"0", "1", "2", str(extra)}
    assert str(other) not in fds


async def test_memory_that_may_be_locked(out: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if not may_lock():
        with pytest.raises((ValueError, OSError)):
            start(out, "exit 0", lock_memory=True)
    else:
        assert await start(out, "ulimit -l", lock_memory=True).wait() == 0
        assert said(out).strip() == "unlimited"
    assert resource.getrlimit(resource.RLIMIT_MEMLOCK) == before


async def test_a_program_that_is_not_there(out: int) -> None:
    before = descriptors.count()
    with pytest.raises(FileNotFoundError):
        spawn(["/nonexistent"], cwd=Path("/"), stdout=out, stderr=out)
    assert descriptors.count() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_run_as(out: int) -> None:
    assert await start(out, "id -u; id -G", run_as=(65534, 65533)).wait() == 0
    assert await start(out, "id -G", run_as=(65534, 65533), groups=[4242]).wait() == 0
    assert said(out).splitlines() == ["65534", "65533", "65533 4242"]


async def test_adopted_process_that_is_not_ours(out: int) -> None:
    shell = start(out, "setsid sleep 30 & echo $!")
    assert await shell.wait() == 0
    child = Child.adopt(int(said(out)))
    waiting = asyncio.create_task(child.wait())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    child.signal()
    assert await waiting is None
    with pytest.raises(ProcessLookupError):
        Child.adopt(2**22)


async def test_released_process_goes_on(out: int) -> None:
    child = start(out, "sleep 30")
    child.release()
    assert child.pidfd == -1
    assert not child.signal()
    again = Child.adopt(child.pid)
    assert again.signal()
    assert await again.wait() == -signal.SIGKILL


async def test_no_descriptor_is_left_open(out: int) -> None:
    before = descriptors.count()
    await asyncio.gather(*(start(out, "true").wait() for _ in range(5)))
    assert descriptors.count() == before


def test_describe_exit() -> None:
    assert describe_exit(None) == "exited"
    assert describe_exit(1) == "exited with code 1"
    assert describe_exit(-9) == "was killed by SIGKILL"
    assert describe_exit(-99) == "was killed by signal 99"
