"""A guest whose root is hostile: it cannot fill the disk, the daemon's memory, the events, nor drive a terminal."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.kit.jsontypes import get_object
from tests.support.manifests import tiny_kernel, vm
from tests.support.system import CORE, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real

PORT = "/dev/virtio-ports/org.qemu.guest_agent.0"


@pytest.fixture
def guest(system: System) -> Iterator[System]:
    """A running guest "evil" whose agent answers."""
    system.apply(
        vm("evil", memory="128Mi", domain={"firmware": tiny_kernel()}, template={"terminationGracePeriodSeconds": 0})
    )
    system.wait_agent("evil")
    yield system
    system.delete(VMS, "evil")


def rss(system: System) -> int:
    """MiB of the daemon."""
    text = Path(f"/proc/{system.daemon_pid()}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) // 1024


def replace_agent(system: System, script: str) -> None:
    """From now on ``script`` is what init starts, again and again, to speak through the agent's port."""
    log = system.state / "instances" / system.uid("evil") / "serial.log"
    text = f"#!/bin/sh\necho the liar speaks > /dev/ttyS0\nPORT={PORT}\n{script}\n"
    assert (
        system.guest("evil", "/bin/sh", "-c", "cat > /run/liar && chmod 755 /run/liar", stdin=text.encode()).code == 0
    )
    swap = "mv /sbin/qemu-ga /sbin/good-ga; mv /run/liar /sbin/qemu-ga; (sleep 1; killall qemu-ga) >/dev/null 2>&1 &"
    assert system.guest("evil", "/bin/sh", "-c", swap).code == 0
    wait_until(lambda: b"the liar speaks" in log.read_bytes(), 60, lambda: system.about("evil"))


def events(system: System) -> int:
    return sum(int(str(item.get("count") or 1)) for item in system.items(f"{CORE}/events"))


def test_logs_are_bounded_while_it_runs(guest: System) -> None:
    folder = guest.state / "instances" / guest.uid("evil")
    log = folder / "serial.log"
    follower = subprocess.Popen(
        [*guest.command, "logs", "evil", "-f"], env=guest.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        for path in (log, folder / "qemu.log"):
            # What the guest could have written, at once; QEMU has the same file open.
            with path.open("ab") as file:
                file.write(b"flood\n" * (3 << 20))
        wait_until(lambda: log.stat().st_size < 1 << 20, 60, "serial.log is cut")
        wait_until(lambda: (folder / "qemu.log").stat().st_size < 1 << 20, 60, "qemu.log is cut")
        guest.sh("evil", "echo after-the-flood > /dev/ttyS0")
        wait_until(lambda: b"after-the-flood" in log.read_bytes(), 60, "what comes after is logged")
        assert not log.read_bytes().startswith(b"\0"), "no hole where the flood was"
        assert sum(path.stat().st_size for path in folder.glob("*.log*")) < 40 << 20
        assert "after-the-flood" in guest.ok("logs", "evil")
        assert follower.stdout is not None
        seen = b""
        while b"after-the-flood" not in seen:
            piece = follower.stdout.read1(1 << 20)
            assert piece, follower.communicate(timeout=60)
            seen = seen[-100:] + piece
    finally:
        follower.kill()
        follower.communicate(timeout=60)


def test_an_agent_that_answers_without_end(guest: System) -> None:
    before = rss(guest)
    replace_agent(guest, "while :; do cat /dev/zero > $PORT; done")
    for _ in range(3):
        done = guest.cli("agent", "evil", "guest-info", timeout=60)
        assert done.code == 1 and "Traceback" not in done.err, done
    assert guest.phase("evil") == "Running"
    assert rss(guest) < before + 60, "MiB"
    assert "never retrieved" not in guest.daemon_log()


def test_an_agent_that_lies(guest: System) -> None:
    """Escape sequences, markup, far too many interfaces with far too many addresses, wrong types, deep nesting."""
    addresses = [{"ip-address": f"10.0.0.{n}", "ip-address-type": "ipv4", "prefix": 8} for n in range(20)]
    interface = {
        "name": "\x1b[31m<script>\u202e" + "n" * 3000,
        "hardware-address": "de:ad:be:ef:00:01\n",
        "ip-addresses": addresses,
    }
    replies = {
        "interfaces": json.dumps({"return": [interface] * 300}),
        "osinfo": json.dumps({"return": {"name": "\x1b]0;owned\x07" + "x" * 5000, "id": ["a"], "version": 7}}),
    }
    for name, text in replies.items():
        assert guest.guest("evil", "/bin/sh", "-c", f"cat > /run/{name}", stdin=text.encode()).code == 0
    # A port that nobody holds on the host's side reads as ended: like qemu-ga, the liar stays and looks again.
    serve = r"""exec 3<>$PORT
while :; do
while read -r line <&3; do
case $line in
*guest-sync-delimited*) id=${line##*:}; id=${id%%\}*}; printf '\377{"return": %s}\n' "$id" >&3;;
*network-get-interfaces*) cat /run/interfaces >&3; echo >&3;;
*osinfo*) cat /run/osinfo >&3; echo >&3;;
*) printf '[%s]\n' >&3;;
esac
done
usleep 50000
done"""
    before = rss(guest)
    replace_agent(guest, serve)

    def told() -> bool:
        return "script" in json.dumps(get_object(guest.find(VMIS, "evil") or {}, "status").get("interfaces"))

    wait_until(told, 60, lambda: guest.about("evil"))
    size = len(json.dumps(guest.find(VMIS, "evil")))
    assert size < 1 << 20, f"the object has {size} bytes"
    shown = guest.ok("get", "vmi", "evil", "-o", "wide") + guest.ok("describe", "vmi", "evil")
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert rss(guest) < before + 60, "MiB"


def test_a_port_that_flaps(guest: System) -> None:
    before = events(guest)
    flap = "n=0; while [ $n -lt 300 ]; do : > $PORT; n=$((n+1)); done; exec /sbin/good-ga -m virtio-serial -p $PORT"
    replace_agent(guest, flap)
    wait_until(lambda: guest.cli("agent", "evil", "guest-ping", timeout=60).code == 0, 60, lambda: guest.about("evil"))
    assert events(guest) - before < 50
    assert guest.phase("evil") == "Running"
