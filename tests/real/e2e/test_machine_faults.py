"""What is asked of a machine and its guest while the daemon or QEMU is killed: what the client is told, what stands
afterwards, and that nothing is left. Two guests.

QEMU is stopped (SIGSTOP) while it is asked, so that everything asked is surely under way when somebody dies.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str
from tests.support import system as systems
from tests.support.manifests import tiny_kernel, vm
from tests.support.system import EXTENSIONS, SUBRESOURCES, VMIS, System, wait_until

pytestmark = pytest.mark.real

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJGb8Ig0xMX1cfEZmYPDq2jIHlIBwtDZx2m6e4rU6lUe"
GUEST = "id; cat /proc/sys/kernel/random/boot_id /etc/shadow; cat /root/.ssh/authorized_keys 2> /dev/null || true"
"""What the commands for the agent below would change."""
TO_AGENT = (
    ("guest", "set-password", "g", "--user", "root"),
    ("guest", "ssh-keys", "add", "g", "-", "--user", "root"),
    ("guest", "trim", "g"),
    ("guest", "time", "g", "--set"),
    ("guest", "suspend-ram", "g"),
)
TO_MONITOR = (
    ("screenshot", "g", "-f", "{place}/screen.png"),
    ("memory-dump", "g", "-f", "{place}/memory.elf"),
    ("nmi", "g"),
    ("send-keys", "g", "a", "b"),
    ("qmp", "g", "query-status"),
    ("qmp", "g", "--yes", "inject-nmi"),
    ("reset", "g"),
    ("pause", "g"),
)
STDIN = {"set-password": b"secret\n", "ssh-keys": f"{KEY}\n".encode()}
PROMPTLY = 25.0
"""Seconds: a command's own patience with QEMU is 30."""
SHIFT, A, B = 42, 30, 48
"""Linux' numbers of keys."""


def guest(name: str, **devices: Json) -> JsonObject:
    machine = vm(name, strategy="RerunOnFailure", domain={"firmware": tiny_kernel()}, devices=devices)
    # Linux does not sleep with virtio-mem.
    inside = get_object(get_object(machine, "spec"), "template")
    inside["metadata"] = {"annotations": {"solovirt.io/memory-hotplug": "pc-dimm"}}
    return machine


@pytest.fixture
def system(tiny: TinyImage) -> Iterator[System]:
    with systems.running(tiny=tiny) as started:
        # Emulated, and with a display, this firmware does not always come back from sleep.
        started.apply(guest("g", autoattachGraphicsDevice=True), guest("sleeper"))
        started.wait_agent("g")
        yield started
        started.check_clean()


def test_deaths_in_the_middle(system: System, tmp_path: Path) -> None:
    agent_and_daemon(system)
    pause_and_daemon(system)
    clock_and_daemon(system)
    keys_and_daemon(system)
    sleep_and_daemon(system)
    copies_that_break_off(system, tmp_path)
    monitor_and_daemon(system, tmp_path)
    everything_and_qemu(system, tmp_path)
    sleep_and_qemu(system)


# -- what is under way ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def unread(path: Path) -> dict[str, int]:
    """Of each connection that was made to a socket (by its inode): the bytes that its server has not read yet."""
    said = subprocess.run(["ss", "-H", "-x", "-n"], check=True, capture_output=True, timeout=10).stdout.decode()
    rows = [line.split() for line in said.splitlines()]
    return {row[5]: int(row[2]) for row in rows if row[1] == "ESTAB" and row[4] == str(path)}


def to_qemu(system: System, name: str) -> int:
    """Bytes of commands that wait for a QEMU that is stopped."""
    return sum(unread(system.runtime / "vmi" / system.uid(name) / "qmp.sock").values())


class Commands:
    """The command line's processes that were started, ended at the end of the block."""

    def __init__(self, system: System, place: Path) -> None:
        self.system, self.place = system, place
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        words = tuple(word.format(place=self.place) for word in words)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*self.system.command, *words], env=self.system.environ, stdin=pipe, stdout=pipe, stderr=pipe
        )
        self.running.append((" ".join(words), process))
        assert process.stdin is not None
        process.stdin.write(next((data for word, data in STDIN.items() if word in words), b""))
        process.stdin.close()
        process.stdin = None
        return process

    def to_daemon(self, *words: str) -> None:
        """Started; the daemon has read its request."""
        before = self._taken()
        self.start(*words)
        wait_until(lambda: self._taken() - before, 60, lambda: f"the daemon heard of {words}", 0.02)

    def to_qemu(self, *words: str, name: str = "g") -> None:
        """Started; the daemon has asked QEMU, which is stopped."""
        before = to_qemu(self.system, name)
        process = self.start(*words)
        wait_until(lambda: to_qemu(self.system, name) > before, 60, lambda: (words, process.poll(), before), 0.02)

    def all_fail(self) -> dict[str, str]:
        """Each ends at once, with one error: command -> what it said."""
        began, said = time.monotonic(), {}
        for words, process in self.running:
            out, err = process.communicate(timeout=PROMPTLY + 10)
            text = err.decode()
            errors = re.findall(r"^(?:error: |Error from server )", text, re.MULTILINE)
            assert (process.returncode, len(errors), "Traceback" in text) == (1, 1, False), (words, out, text)
            said[words] = text
        assert time.monotonic() - began < PROMPTLY, "nobody waits for one that is dead"
        return said

    def _taken(self) -> set[str]:
        waiting = unread(self.system.runtime / "solovirt.sock")
        return {connection for connection, size in waiting.items() if not size}


@contextlib.contextmanager
def commands(system: System, place: Path = Path("/nonexistent")) -> Iterator[Commands]:
    made = Commands(system, place)
    try:
        yield made
    finally:
        for _, process in made.running:
            process.kill()
            process.communicate()


# -- how the machine is --------------------------------------------------------------------------------------------


def qmp(system: System, command: str, name: str = "g") -> Json:
    return system.client.call("POST", f"{EXTENSIONS}/{name}/qmp", None, {"command": command})["return"]


def settled(system: System, name: str = "g") -> str:
    """The run state, once the API and QEMU are of one mind."""
    told = {"running": "", "paused": "PausedByUser", "suspended": "Suspended"}

    def look() -> str:
        found = qmp(system, "query-status", name)
        state = get_str(found, "status") if isinstance(found, dict) else ""
        reason = get_str(system.condition(VMIS, name, "Paused"), "reason")
        return state if told.get(state) == reason else ""

    return wait_until(look, 60, lambda: f"{qmp(system, 'query-status', name)}: {system.about(name)}")


def awake(system: System, name: str = "g") -> None:
    """Its agent answers."""
    wait_until(lambda: system.cli("guest", "hostname", name).code == 0, 60, lambda: system.about(name), 0.2)


def sets(system: System) -> list[Json]:
    """What QEMU was given to draw on and still has."""
    found = qmp(system, "query-fdsets")
    assert isinstance(found, list)
    return [fd for one in found if isinstance(one, dict) for fd in get_list(one, "fds")]


def screenshot(system: System) -> None:
    reply = system.client.open("GET", f"{SUBRESOURCES}/virtualmachineinstances/g/vnc/screenshot", accept="image/png")
    assert reply.read().startswith(b"\x89PNG\r\n\x1a\n")


def works(system: System, place: Path) -> None:
    """Everything that was interrupted, once more."""
    system.ok("screenshot", "g", "-f", str(place / "again.png"))
    assert (place / "again.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert sets(system) == []
    system.ok("nmi", "g")
    system.ok("send-keys", "g", "a")
    assert '"running": true' in system.ok("qmp", "g", "query-status")
    (place / "again.png").unlink()
    assert os.listdir(place) == [], "what was interrupted leaves no file"


# -- the daemon dies -----------------------------------------------------------------------------------------------


def agent_and_daemon(system: System) -> None:
    """What the agent was not told yet is not done: the first command is with QEMU, the others are behind it."""
    before = system.sh("g", GUEST)
    with commands(system) as asked:
        with stopped(system.qemu("g")):
            asked.to_daemon("agent", "g", "guest-ping", "--timeout", "60s")
            for words in TO_AGENT:
                asked.to_daemon(*words)
            system.kill()
            said = asked.all_fail()
        assert all("daemon" in text or "server" in text for text in said.values()), said
    system.start()
    assert settled(system) == "running"
    awake(system)
    assert system.sh("g", GUEST) == before
    for words in TO_AGENT[:-1]:
        done = system.cli(*words, stdin=next((data for word, data in STDIN.items() if word in words), b""))
        # Nothing here can be trimmed.
        assert done.code == 0 or "trim" in words, done
    after = system.sh("g", GUEST)
    assert after != before and KEY in after


def pause_and_daemon(system: System) -> None:
    """One that is paused stays so, whoever watches it; one whose pause was cut short is what QEMU says."""
    system.ok("pause", "g")
    system.kill()
    system.start()
    assert settled(system) == "paused"
    with commands(system) as asked, stopped(system.qemu("g")):
        asked.to_qemu("unpause", "g")
        system.kill()
        asked.all_fail()
    system.start()
    if settled(system) == "paused":
        system.ok("unpause", "g")
    assert settled(system) == "running"
    awake(system)
    system.ok("pause", "g")
    screenshot(system)
    system.kill()
    system.start()
    screenshot(system)
    system.ok("unpause", "g")
    screenshot(system)
    assert sets(system) == [], "what daemons left while it was paused"


def clock_and_daemon(system: System) -> None:
    """The daemon lets the guest go on and dies before it has set its clock: the next one does."""
    # Not before this very script is answered.
    mute = "usleep 400000; kill -STOP $(pidof qemu-ga); sleep 8; kill -CONT $(pidof qemu-ga)"
    system.sh("g", f"({mute}) >/dev/null 2>&1 </dev/null &")
    ping = ("agent", "g", "guest-ping", "--timeout", "300ms")
    wait_until(lambda: "AgentTimeout" in system.cli(*ping).err, 60, lambda: system.cli(*ping))
    machine: str = f"{SUBRESOURCES}/virtualmachineinstances/g"
    empty: JsonObject = {}
    system.client.call("PUT", f"{machine}/pause", None, empty)
    time.sleep(3)
    system.client.call("PUT", f"{machine}/unpause", None, empty)
    system.kill()
    system.start()

    def late() -> float:
        done = system.guest("g", "date", "+%s", timeout=20)
        return abs(time.time() - float(done.out)) if done.code == 0 else 1e9

    awake(system)
    wait_until(lambda: late() < 2, 60, lambda: f"the guest's clock, late by {late():.1f} s")


def keys_and_daemon(system: System) -> None:
    """Keys that are down come up again: QEMU sees to it. What was not typed yet is not."""
    system.sh("g", "cat /dev/input/event0 > /tmp/keys 2> /dev/null < /dev/null &")

    def pressed() -> list[tuple[int, int]]:
        """(key, 1 down or 0 up) in their order; the agent says it, who was just told of a daemon's end."""
        done = system.guest("g", "base64", "/tmp/keys", timeout=20)
        events = struct.iter_unpack("<16xHHi", base64.b64decode(done.out))
        return [(code, value) for kind, code, value in events if kind == 1 and value in (0, 1)]

    with commands(system) as asked:
        asked.start("send-keys", "g", "shift-a", "b", "--hold-time", "10000")
        wait_until(lambda: {(SHIFT, 1), (A, 1)} <= set(pressed()), 60, "the keys are down")
        system.kill()
        asked.all_fail()
    system.start()
    awake(system)
    wait_until(lambda: {(SHIFT, 0), (A, 0)} <= set(pressed()), 60, lambda: f"the keys are up: {pressed()}")
    assert B not in {key for key, _ in pressed()}
    system.sh("g", "killall cat; rm /tmp/keys")


def asleep(system: System) -> None:
    system.ok("guest", "suspend-ram", "sleeper")
    assert settled(system, "sleeper") == "suspended"


def sleep_and_daemon(system: System) -> None:
    """Half woken up is nothing that a guest stays."""
    system.wait_agent("sleeper")
    asleep(system)
    with commands(system) as asked, stopped(system.qemu("sleeper")):
        asked.to_qemu("guest", "wakeup", "sleeper", name="sleeper")
        system.kill()
        asked.all_fail()
    system.start()
    if settled(system, "sleeper") == "suspended":
        system.ok("guest", "wakeup", "sleeper")
    assert settled(system, "sleeper") == "running"
    awake(system, "sleeper")


def monitor_and_daemon(system: System, place: Path) -> None:
    """Whoever waits is told at once; QEMU may have heard of it or not, and the next daemon says how it is."""
    pid = system.qemu("g")
    screenshot(system)
    with commands(system, place) as asked, stopped(pid):
        for words in TO_MONITOR:
            asked.to_qemu(*words)
        assert os.listdir(place) == [], "no file before there is something to put into it"
        system.kill()
        asked.all_fail()
    system.start()
    if settled(system) == "paused":
        system.ok("unpause", "g")
    assert (system.qemu("g"), settled(system)) == (pid, "running")
    awake(system)
    assert "inject-nmi" in system.ok("events", "--for", "vmi/g"), "recorded before it was sent"
    works(system, place)


# -- QEMU dies -----------------------------------------------------------------------------------------------------


def copies_that_break_off(system: System, place: Path) -> None:
    """A file that becomes shorter while it is read: the client is told so, and what was here stays."""
    target = place / "big"
    target.write_bytes(b"old")
    with commands(system) as asked:
        copy_under_way(system, asked, place)
        system.sh("g", ": > /root/big")
        os.kill(asked.running[0][1].pid, signal.SIGCONT)
        (text,) = asked.all_fail().values()
        assert "Error from server (FileChanged): the file became shorter while it was read" in text, text
    assert (os.listdir(place), target.read_bytes()) == (["big"], b"old")
    target.unlink()


def copy_under_way(system: System, asked: Commands, place: Path) -> None:
    """A copy out of the guest whose client stands still in the middle."""
    system.sh("g", "head -c 16777216 /dev/zero > /root/big")
    process = asked.start("guest", "cp", "g:/root/big", str(place))
    wait_until(lambda: any(p.stat().st_size for p in place.glob(".big.*.partial")), 60, process.poll, 0.005)
    process.send_signal(signal.SIGSTOP)


def everything_and_qemu(system: System, place: Path) -> None:
    """Whoever waits for it is told at once; who only looks on sees it; the VM starts again and everything works."""
    uid = system.uid("g")
    with commands(system, place) as looking, commands(system, place) as asked:
        looking.to_daemon("events", "-w", "--for", "vmi/g")
        copy_under_way(system, asked, place)
        with stopped(system.qemu("g")):
            os.kill(asked.running[0][1].pid, signal.SIGCONT)
            for words in TO_MONITOR:
                if words[0] != "memory-dump":
                    asked.to_qemu(*words)
            for words in (*TO_AGENT, ("soft-reboot", "g")):
                asked.to_daemon(*words)
            os.kill(system.qemu("g"), signal.SIGKILL)
        said = asked.all_fail()
        assert os.listdir(place) == []
        assert "Error from server (AgentNotConnected)" in said[f"guest cp g:/root/big {place}"], said
        assert "monitor" in said["nmi g"], said
        wait_until(lambda: system.uid("g") not in ("", uid), 60, lambda: system.about("g"))
        (_, events) = looking.running[0]
        assert events.stdout is not None
        os.set_blocking(events.stdout.fileno(), False)
        shown = b""

        def seen() -> bool:
            nonlocal shown
            assert events.stdout is not None
            shown += events.stdout.read() or b""
            return b"MonitorCommandFailed" in shown and b"crashed: QEMU exited" in shown

        wait_until(seen, 60, lambda: f"events: {shown.decode()}")
        assert events.poll() is None, "it goes on"
    system.wait_phase("g", "Running")
    works(system, place)
    assert settled(system) == "running"


def sleep_and_qemu(system: System) -> None:
    uid = system.uid("sleeper")
    asleep(system)
    with commands(system) as asked:
        with stopped(system.qemu("sleeper")):
            asked.to_qemu("guest", "wakeup", "sleeper", name="sleeper")
            os.kill(system.qemu("sleeper"), signal.SIGKILL)
        asked.all_fail()
    wait_until(lambda: uid not in system.qemus(), 60, lambda: system.about("sleeper"))
    wait_until(lambda: "crashed" in system.ok("events", "--for", "vmi/sleeper"), 60, lambda: system.about("sleeper"))
