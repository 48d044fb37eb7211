"""Running real programs: bounded, and never left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from solovirt.host.images.tools import Confinement, run
from solovirt.kit.errors import HostError

pytestmark = pytest.mark.real


async def test_output_and_exit_code() -> None:
    done = await run("sh", ["-c", "cat; echo oops >&2; exit 3"], timeout=30, input_data=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"hello", "oops\n")


async def test_too_slow_and_too_talkative() -> None:
    started = time.monotonic()
    with pytest.raises(HostError, match="did not finish"):
        await run("sleep", ["60"], timeout=0.1)
    with pytest.raises(HostError, match="more than 1000 bytes"):
        await run("yes", [], timeout=30, max_stdout=1000)
    assert time.monotonic() - started < 30


async def test_errors_are_kept_from_their_end() -> None:
    done = await run("sh", ["-c", "seq 1 100000 >&2"], timeout=30)
    assert done.stderr.endswith("100000\n")
    assert len(done.stderr) <= 65536


async def test_cancelling_kills(tmp_path: Path) -> None:
    task = asyncio.create_task(run("sh", ["-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"], timeout=60))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


async def test_memory_limit() -> None:
    code = "b = bytearray(1 << 30)"
    done = await run(sys.executable, ["-c", code], timeout=60, confinement=Confinement(address_space=256 << 20))
    assert done.returncode != 0
    assert "MemoryError" in done.stderr
    assert (await run(sys.executable, ["-c", code], timeout=60)).returncode == 0


async def test_descriptors() -> None:
    reading, writing = os.pipe()
    try:
        await run("sh", ["-c", f"echo hi > /proc/self/fd/{writing}"], timeout=30, pass_fds=[writing])
        assert os.read(reading, 10) == b"hi\n"
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_without_any_right() -> None:
    confinement = Confinement(user=(2_020_065_536, 2_020_065_536))
    done = await run("sh", ["-c", "id -u; id -G; cat /proc/self/status"], timeout=30, confinement=confinement)
    lines = done.stdout.decode().splitlines()
    assert lines[:2] == ["2020065536", "2020065536"]
    assert "NoNewPrivs:\t1" in lines
    assert "CapBnd:\t0000000000000000" in lines


def test_a_killed_parent_takes_its_child_along(tmp_path: Path) -> None:
    code = (
        "import asyncio\nfrom solovirt.host.images.tools import run\n"
        f"asyncio.run(run('sh', ['-c', 'echo $$ > {tmp_path}/pid; exec sleep 60'], timeout=60))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL) as parent:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parent.kill()
    child = Path("/proc", (tmp_path / "pid").read_text().strip())

    def lives() -> bool:
        try:
            return b"sleep" in (child / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False

    deadline = time.monotonic() + 30
    while lives():
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.01)
