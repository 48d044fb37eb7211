"""Programs, copies and freezes in one real guest: as users do them, and when client, daemon or QEMU die in the
middle.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import get_object, get_str
from tests.support import system as systems
from tests.support.manifests import disk, tiny_kernel, vm
from tests.support.system import VMIS, System, wait_until

pytestmark = pytest.mark.real

OPEN = "ls /proc/$(pidof qemu-ga)/fd | wc -l"
"""Files that the agent has open; the shell that asks counts, too, each time the same."""
PARTIAL = "ls -a /root /mnt | grep -c partial || true"


@pytest.fixture
def system(tiny: TinyImage) -> Iterator[System]:
    with systems.running(tiny=tiny) as started:
        boot(started)
        yield started
        # A copy whose guest is gone ends its answer early; uvicorn says so.
        started.check_clean()


def boot(system: System) -> None:
    """A guest with a file system that can be frozen, on /mnt."""
    system.apply(
        vm(
            "guest",
            memory="384Mi",
            disks=[disk("data")],
            volumes=[{"name": "data", "emptyDisk": {"capacity": "64Mi"}}],
            domain={"firmware": tiny_kernel()},
        )
    )
    system.wait_agent("guest")
    script = (
        "modprobe virtio_blk; while [ ! -e /dev/vda ]; do usleep 50000; done;"
        " mke2fs /dev/vda && mount -t ext4 /dev/vda /mnt"
    )
    system.sh("guest", script)


@contextlib.contextmanager
def started(system: System, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([*system.command, *words], env=system.environ, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def at_rest(system: System) -> str:
    """Files that the agent has open, once a second passes without a change."""
    seen = [""]

    def same() -> bool:
        seen.append(system.sh("guest", OPEN))
        return seen[-1] == seen[-2]

    wait_until(same, 60, lambda: f"handles: {seen}", 1)
    return seen[-1]


def frozen(system: System) -> str:
    return get_str(get_object(system.find(VMIS, "guest") or {}, "status"), "fsFreezeStatus")


def guardians(system: System) -> list[int]:
    return [pid for pid, words in system.processes().items() if any(word.endswith("/thaw.py") for word in words)]


def test_in_one_guest(system: System, tmp_path: Path) -> None:
    programs(system)
    two_at_once(system)
    interrupted(system)
    program_and_daemon(system)
    copies(system, tmp_path)
    full_disks(system, tmp_path)
    copies_that_break(system, tmp_path)
    frozen_and_thawed(system)
    frozen_and_daemon(system)
    everything_and_qemu(system, tmp_path)


def programs(system: System) -> None:
    run, big = ("guest", "exec"), random.Random(1).randbytes(1_500_000)
    rows = [
        (("sh", "-c", 'echo "$1" "$A"; echo err >&2; exit 3', "sh", "a  'b'"), b"", (3, "a  'b' \n", "err\n")),
        (("sh", "-c", "kill -9 $$"), b"", (137, "", "")),
        (("wc", "-c"), b"x" * 5, (0, "5\n", "")),
        (
            ("sha256sum",),
            (big := random.Random(1).randbytes(1_500_000)),
            (0, f"{hashlib.sha256(big).hexdigest()}  -\n", ""),
        ),
        (("head", "-c", "3000000", "/dev/zero"), b"", (0, "\0" * 3_000_000, "")),
    ]
    for command, stdin, wanted in rows:
        done = system.cli(*run, *(["-i"] if stdin else []), "guest", "--", *command, stdin=stdin)
        assert (done.code, done.out, done.err) == wanted, command[:2]
    assert system.cli("exec", "--no-stream", "guest", "--", "echo", "x").out == "x\n"
    assert system.cli(*run, "--env", "A=b c", "guest", "--", "sh", "-c", 'echo "$A"').out == "b c\n"
    late = system.cli(*run, "--timeout", "1s", "guest", "--", "sh", "-c", "echo a; sleep 4321")
    assert (late.code, late.out) == (124, "a\n")
    assert system.cli(*run, "guest", "--", "no-such-program").code == 127
    wait_until(lambda: system.sh("guest", "ls /tmp; pidof sleep || true") == "", 60, "nothing left in the guest")


def two_at_once(system: System) -> None:
    script = "echo $0 1; while [ ! -e /run/go ]; do usleep 50000; done; echo $0 2; echo $0 3"
    words = ("exec", "guest", "--", "sh", "-c", script)
    with started(system, *words, "a") as one, started(system, *words, "b") as two:
        assert one.stdout is not None and two.stdout is not None
        assert (one.stdout.readline(), two.stdout.readline()) == (b"a 1\n", b"b 1\n"), "it comes before the end"
        system.sh("guest", "touch /run/go")
        assert (one.stdout.read(), two.stdout.read()) == (b"a 2\na 3\n", b"b 2\nb 3\n")
        assert (one.wait(60), two.wait(60)) == (0, 0)


def interrupted(system: System) -> None:
    with started(system, "exec", "guest", "--", "sh", "-c", "echo on; sleep 4321") as process:
        assert process.stdout is not None and process.stdout.readline() == b"on\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    wait_until(lambda: system.sh("guest", "pidof sleep || true") == "", 60, "^C ends the program in the guest")


def program_and_daemon(system: System) -> None:
    """One that is followed and one that was left alone go on without us, and are found again."""
    before = at_rest(system)
    left = system.ok("exec", "--detach", "guest", "--", "sh", "-c", "sleep 1; echo left; exit 7").strip()
    with started(system, "exec", "guest", "--", "sh", "-c", "echo one; sleep 3; echo two; exit 5") as process:
        assert process.stdout is not None and process.stdout.readline() == b"one\n"
        system.kill()
        assert process.wait(60) == 1
        assert process.stderr is not None
        said = process.stderr.read().decode()
    followed = said.partition("--attach ")[2].split()[0]
    system.start()
    system.wait_agent("guest", 60)
    assert left in (listed := system.ok("guest", "exec", "--ls", "guest")) and followed in listed
    assert system.cli("exec", "--attach", left, "guest").code == 7
    again = system.cli("exec", "--attach", followed, "guest")
    assert (again.code, again.out) == (5, "one\ntwo\n")
    wait_until(lambda: system.sh("guest", OPEN) == before, 60, "every handle is closed")
    assert system.ok("exec", "--ls", "guest").count("\n") == 1
    assert "no program" in system.cli("exec", "--attach", left, "guest").err
    endless = system.ok("exec", "--detach", "guest", "--", "sleep", "4321").strip()
    system.restart()
    system.ok("exec", "--kill", endless, "guest")
    wait_until(lambda: system.sh("guest", "ls /tmp; pidof sleep || true") == "", 60, "nothing left in the guest")


def copies(system: System, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(content := random.Random(2).randbytes(2_000_003))
    there.chmod(0o751)
    before = at_rest(system)
    said = system.cli("guest", "cp", str(there), "guest:/root/a 'b' $(c)")
    assert (said.code, "SHA-256 compared" in said.err) == (0, True), said
    back.symlink_to(there)
    system.ok("guest", "cp", "guest:/root/a 'b' $(c)", str(back))
    assert back.read_bytes() == content and not back.is_symlink()
    assert back.stat().st_mode & 0o777 == 0o751
    system.ok("guest", "cp", "--mode", "0600", str(there), "guest:/root/")
    assert system.sh("guest", "stat -c %a /root/there") == "600"
    system.ok("guest", "cp", "guest:/proc/meminfo", str(tmp_path))
    assert (tmp_path / "meminfo").read_text().startswith("MemTotal:")
    for words, why in (
        ((str(tmp_path), "guest:/root/x"), "is a directory"),
        (("guest:/etc", str(tmp_path)), "is a directory"),
        ((str(there), "guest:/etc"), "is a directory"),
        ((str(there), "guest:/no/x"), "directory does not exist"),
        (("guest:/dev/zero", str(tmp_path)), "no regular file"),
        (("guest:/nope", str(tmp_path)), "no such file"),
    ):
        done = system.cli("guest", "cp", *words)
        assert (done.code, why in done.err) == (1, True), done
    tidy(system, before, "copies that were refused")


def full_disks(system: System, tmp_path: Path) -> None:
    """In the guest, and here."""
    system.sh("guest", "mkdir /small && mount -t tmpfs -o size=1m none /small && echo kept > /small/x")
    done = system.cli("guest", "cp", str(tmp_path / "there"), "guest:/small/x")
    assert (done.code, "No space left" in done.err) == (1, True), done
    wait_until(lambda: system.sh("guest", "ls -a /small | wc -l; cat /small/x") == "3\nkept", 60, "whole or not at all")
    small = tmp_path / "small"
    small.mkdir()
    limit = ["prlimit", "--fsize=100000"]
    if os.geteuid() == 0:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)
        limit = []
    try:
        (small / "x").write_bytes(b"kept")
        words = [*limit, *system.command, "guest", "cp", "guest:/root/there", str(small / "x")]
        ended = subprocess.run(words, env=system.environ, capture_output=True, timeout=60)
        assert ended.returncode == 1, ended
        assert b"No space left" in ended.stderr or b"too large" in ended.stderr, ended
        assert [(path.name, path.read_bytes()) for path in small.iterdir()] == [("x", b"kept")]
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(small)], check=True)


def tidy(system: System, before: str, what: str) -> None:
    """Every handle is closed, and nothing is half written."""
    wait_until(lambda: (system.sh("guest", OPEN), system.sh("guest", PARTIAL)) == (before, "0"), 60, what)


def copies_that_break(system: System, tmp_path: Path) -> None:
    """Client and daemon killed in the middle, and others who want the agent meanwhile."""
    large = tmp_path / "large"
    large.write_bytes(random.Random(3).randbytes(40 << 20))
    before = at_rest(system)
    with started(system, "guest", "cp", str(large), "guest:/root/large") as process:
        wait_until(lambda: system.sh("guest", PARTIAL) == "1", 60, "a copy under way")
        assert system.guest("guest", "true").code == 0
        assert process.poll() is None, "a copy leaves room for others"
        process.kill()
    tidy(system, before, "the client's death")
    with started(system, "guest", "cp", str(large), "guest:/root/large") as process:
        wait_until(lambda: system.sh("guest", PARTIAL) == "1", 60, "a copy under way")
        system.kill()
        assert process.wait(60) == 1
    system.start()
    system.wait_agent("guest", 60)
    tidy(system, before, "the daemon's death")
    with started(system, "guest", "cp", str(large), "guest:/root/large") as process:
        wait_until(lambda: system.sh("guest", PARTIAL) == "1", 60, "a copy under way")
        system.restart()
        assert process.wait(60) == 1
    system.wait_agent("guest", 60)
    tidy(system, before, "the daemon's end")
    assert system.guest("guest", "test", "-e", "/root/large").code == 1


def frozen_and_thawed(system: System) -> None:
    assert system.ok("guest", "freeze", "guest", "--timeout", "120s").startswith("guest frozen until 20")
    assert frozen(system) == "frozen", "at once"
    wait_until(lambda: len(guardians(system)) == 1, 60, "the process beside us")
    assert "frozen" in system.cli("exec", "guest", "--", "true").err
    assert system.ok("guest", "freeze-status", "guest").startswith("guest frozen")
    system.ok("guest", "thaw", "guest")
    assert frozen(system) == ""
    wait_until(lambda: not guardians(system), 60, "nobody waits any more")
    system.sh("guest", "echo x > /mnt/x; sync")
    system.ok("guest", "freeze", "guest", "--timeout", "1s")
    wait_until(lambda: not frozen(system) and not guardians(system), 60, "the deadline")
    system.sh("guest", "echo y > /mnt/x; sync")


def frozen_and_daemon(system: System) -> None:
    """Without a daemon the guest is thawed in time; a daemon that is there earlier does it."""
    began = time.monotonic()
    system.ok("guest", "freeze", "guest", "--timeout", "6s")
    system.kill()
    assert len(guardians(system)) == 1
    wait_until(lambda: not guardians(system), 60, "the process beside us did it")
    assert 6 <= time.monotonic() - began < 30
    system.start()
    system.wait_agent("guest", 60)
    assert system.ok("guest", "freeze-status", "guest") == "guest thawed\n"
    system.ok("guest", "freeze", "guest", "--timeout", "15s")
    system.kill()
    system.start()
    assert system.ok("guest", "freeze-status", "guest").startswith("guest frozen until")
    wait_until(lambda: system.ok("guest", "freeze-status", "guest") == "guest thawed\n", 60, "the next daemon goes on")
    wait_until(lambda: not guardians(system), 60, "nobody waits any more")
    assert "FreezeTimeout" in system.ok("get", "events")


def everything_and_qemu(system: System, tmp_path: Path) -> None:
    """A freeze holds programs and copies up, no more. QEMU dies: whoever waits is told, nothing is remembered of it."""
    uid = system.uid("guest")
    with (
        started(system, "exec", "guest", "--", "sh", "-c", "echo on; sleep 4321") as program,
        started(system, "guest", "cp", str(tmp_path / "large"), "guest:/root/large") as copy,
    ):
        assert program.stdout is not None and program.stdout.readline() == b"on\n"
        wait_until(lambda: system.sh("guest", PARTIAL) == "1", 60, "a copy under way")
        for _ in range(2):
            system.ok("guest", "freeze", "guest", "--timeout", "300s")
            time.sleep(0.5)
            assert (program.poll(), copy.poll()) == (None, None)
            system.ok("guest", "thaw", "guest")
        system.ok("guest", "freeze", "guest", "--timeout", "300s")
        os.kill(system.qemu("guest"), signal.SIGKILL)
        assert (program.wait(60), copy.wait(60)) == (1, 1)
        assert program.stderr is not None and b"guest agent" in program.stderr.read()
    wait_until(lambda: not guardians(system), 60, "the process beside QEMU goes with it")
    wait_until(lambda: system.uid("guest") != uid, 60, lambda: system.about("guest"))
    assert frozen(system) == ""
