"""Everything that a guest's agent can be asked and told, with the real one: all its commands as they are, all verbs,
the talk's transcripts, sleep, and deaths in the middle. One guest, few boots.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solovirt.cli.main import main
from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str
from tests.support import system as systems
from tests.support.manifests import KERNEL_ARGUMENTS, disk, secret, tiny_kernel, vm
from tests.support.system import CORE, VMIS, Done, System, wait_until

pytestmark = pytest.mark.real

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJGb8Ig0xMX1cfEZmYPDq2jIHlIBwtDZx2m6e4rU6lUe"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
WORD = "a word that nobody may see"
PREPARE = (
    "modprobe virtio_blk; while [ ! -e /dev/vdb ]; do usleep 50000; done;"
    " mke2fs /dev/vda && mkdir -p /data && mount -t ext4 /dev/vda /data && mkswap /dev/vdb && swapon /dev/vdb;"
    " grep -q fedora /etc/passwd || echo fedora:x:1000:0::/home/fedora:/bin/sh >> /etc/passwd; mkdir -p /home/fedora"
)

SLIDES = frozenset([
    "guest-sync-delimited", "guest-sync", "guest-ping", "guest-get-time", "guest-set-time", "guest-shutdown",
    "guest-get-users", "guest-get-host-name", "guest-set-user-password", "guest-get-vcpus", "guest-set-vcpus",
    "guest-file-flush", "guest-file-open", "guest-file-close", "guest-file-read", "guest-file-write", "guest-file-seek",
    "guest-fsfreeze-status", "guest-fsfreeze-freeze-list", "guest-fsfreeze-freeze", "guest-fsfreeze-thaw",
    "guest-get-disks", "guest-ssh-add-authorized-keys", "guest-ssh-remove-authorized-keys",
    "guest-ssh-get-authorized-keys", "guest-get-fsinfo", "guest-fstrim", "guest-suspend-disk", "guest-suspend-ram",
    "guest-suspend-hybrid", "guest-network-get-interfaces", "guest-get-memory-blocks", "guest-set-memory-blocks",
    "guest-get-memory-block-info", "guest-exec", "guest-exec-status", "guest-get-osinfo",
])  # fmt: skip
"""Every command that the talk names."""

ELSEWHERE = frozenset({"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"})
"""Those that end the conversation: in tests of their own below."""


@pytest.fixture
def system(tiny: TinyImage) -> Iterator[System]:
    with systems.running(tiny=tiny) as started:
        source: JsonObject = {"secret": {"secretName": "keys"}}
        users: JsonObject = {"qemuGuestAgent": {"users": ["root"]}}
        machine = vm(
            "guest",
            strategy="RerunOnFailure",
            memory="384Mi",
            disks=[disk("data"), disk("swap")],
            volumes=[
                {"name": "data", "emptyDisk": {"capacity": "64Mi"}},
                {"name": "swap", "emptyDisk": {"capacity": "400Mi"}},
            ],
            domain={"firmware": tiny_kernel(f"{KERNEL_ARGUMENTS} noresume hibernate=nocompress"), "cpu": {"cores": 2}},
            template={
                "terminationGracePeriodSeconds": 20,
                "accessCredentials": [{"sshPublicKey": {"source": source, "propagationMethod": users}}],
            },
        )
        # Linux does not sleep with virtio-mem.
        inside = get_object(get_object(machine, "spec"), "template")
        inside["metadata"] = {"annotations": {"solovirt.io/memory-hotplug": "pc-dimm"}}
        started.apply(secret("keys", {"one": f"{KEY} first"}), machine)
        yield started
        started.check_clean()


def test_in_one_guest(system: System, tmp_path: Path) -> None:
    system.wait_agent("guest")
    system.sh("guest", PREPARE)
    credentials(system)
    every_command(system)
    facts(system)
    switching(system)
    secrets(system, tmp_path)
    transcripts(system)
    sleeping(system)
    killed_daemon(system)
    rebooting(system)
    reset_in_its_sleep(system)
    killed_qemu(system)
    hibernating(system)


def solovirt(system: System, *words: str) -> Done:
    """The command line in this process, without the time that it takes to start one."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["--server", f"unix://{system.runtime}/solovirt.sock", *words])
    return Done(code, out.getvalue(), err.getvalue())


def ok(system: System, *words: str) -> str:
    done = solovirt(system, *words)
    assert done.code == 0, (words, done)
    return done.out


def agent(system: System, command: str, arguments: JsonObject | None = None) -> Json:
    """``solovirt agent``: what the guest returned."""
    reply = json.loads(ok(system, "agent", "guest", command, json.dumps(arguments or {})))
    assert isinstance(reply, dict) and set(reply) == {"return"}
    return reply["return"]


def refused(system: System, command: str, reason: str, *words: str, arguments: JsonObject | None = None) -> None:
    done = solovirt(system, "agent", "guest", command, json.dumps(arguments or {}))
    assert (done.code, done.out) == (1, ""), done
    assert done.err.startswith(f"Error from server ({reason}): {command}: "), done
    assert all(word in done.err for word in words), done


# -- credentials are tracked live ----------------------------------------------------------------------------------


def credentials(system: System) -> None:
    """Whoever changes the Secret changes the guest."""
    held = "cat /root/.ssh/authorized_keys 2>/dev/null || true"
    wait_until(lambda: system.sh("guest", held) == f"{KEY} first", 60, lambda: system.sh("guest", held))
    patch: JsonObject = {"stringData": {"one": f"{OTHER} second"}}
    path = f"{CORE}/secrets/keys"
    system.client.call("PATCH", path, None, patch, content_type="application/merge-patch+json")
    wait_until(lambda: system.sh("guest", held) == f"{OTHER} second", 60, lambda: system.sh("guest", held))
    synced = system.condition(VMIS, "guest", "AccessCredentialsSynchronized")
    assert synced["status"] == "True", synced


# -- every command as it is ----------------------------------------------------------------------------------------

Row = tuple[str, JsonObject | Callable[[dict[str, Json]], JsonObject], Callable[[Json], object]]


def is_list(reply: Json) -> bool:
    return isinstance(reply, list) and all(isinstance(item, dict) for item in reply)


def holds(*keys: str) -> Callable[[Json], bool]:
    """A list of objects, at least one, all with these keys."""
    return lambda reply: bool(reply) and is_list(reply) and all(set(keys) <= set(item) for item in reply)  # type: ignore[union-attr, arg-type]


def field(key: str, value: Json) -> Callable[[Json], bool]:
    return lambda reply: isinstance(reply, dict) and reply.get(key) == value


def handle(**more: Json) -> Callable[[dict[str, Json]], JsonObject]:
    return lambda before: {"handle": before["guest-file-open"], **more}


TEXT = base64.b64encode(b"hello guest\n").decode()
ROWS: list[Row] = [
    ("guest-sync-delimited", {"id": 4711}, lambda reply: reply == 4711),
    ("guest-sync", {"id": 4712}, lambda reply: reply == 4712),
    ("guest-ping", {}, lambda reply: reply == {}),
    ("guest-info", {}, lambda reply: isinstance(reply, dict) and str(reply["version"]).startswith("7.2")),
    ("guest-get-time", {}, lambda reply: isinstance(reply, int) and abs(reply - time.time_ns()) < 60 * 10**9),
    ("guest-set-time", {"time": time.time_ns()}, lambda reply: reply == {}),
    ("guest-get-osinfo", {}, field("id", "solovirt-tiny")),
    ("guest-get-host-name", {}, lambda reply: isinstance(reply, dict) and bool(reply["host-name"])),
    ("guest-get-timezone", {}, field("offset", 0)),
    ("guest-get-users", {}, is_list),
    ("guest-network-get-interfaces", {}, holds("name", "ip-addresses", "statistics")),
    ("guest-get-disks", {}, holds("name", "partition")),
    ("guest-get-fsinfo", {}, holds("mountpoint", "type", "total-bytes", "disk")),
    ("guest-get-diskstats", {}, holds("name", "stats")),
    ("guest-get-cpustats", {}, holds("cpu", "user", "type")),
    ("guest-get-vcpus", {}, holds("logical-id", "online")),
    ("guest-set-vcpus", {"vcpus": [{"logical-id": 1, "online": True}]}, lambda reply: reply == 1),
    ("guest-get-memory-blocks", {}, holds("phys-index", "online")),
    ("guest-get-memory-block-info", {}, lambda reply: isinstance(reply, dict) and get_int(reply, "size") > 0),
    ("guest-set-memory-blocks", {"mem-blks": [{"phys-index": 0, "online": True}]}, holds("phys-index", "response")),
    ("guest-file-open", {"path": "/data/file", "mode": "w+"}, lambda reply: isinstance(reply, int)),
    ("guest-file-write", handle(**{"buf-b64": TEXT}), field("count", 12)),
    ("guest-file-flush", handle(), lambda reply: reply == {}),
    ("guest-file-seek", handle(offset=6, whence="set"), field("position", 6)),
    ("guest-file-read", handle(count=5), field("buf-b64", base64.b64encode(b"guest").decode())),
    ("guest-file-close", handle(), lambda reply: reply == {}),
    ("guest-exec", {"path": "echo", "arg": ["x"], "capture-output": True}, bool),
    (
        "guest-exec-status",
        lambda before: {"pid": get_int(before["guest-exec"], "pid")},  # type: ignore[arg-type]
        lambda reply: isinstance(reply, dict) and isinstance(reply["exited"], bool),
    ),
    (
        "guest-set-user-password",
        {"username": "fedora", "password": "d29yZA==", "crypted": False},
        lambda reply: reply == {},
    ),
    ("guest-ssh-add-authorized-keys", {"username": "fedora", "keys": [KEY, OTHER]}, lambda reply: reply == {}),
    ("guest-ssh-remove-authorized-keys", {"username": "fedora", "keys": [OTHER]}, lambda reply: reply == {}),
    ("guest-ssh-get-authorized-keys", {"username": "fedora"}, field("keys", [KEY])),
    ("guest-fstrim", {"minimum": 4096}, lambda reply: isinstance(reply, dict) and bool(reply["paths"])),
    ("guest-fsfreeze-status", {}, lambda reply: reply == "thawed"),
    ("guest-fsfreeze-freeze", {}, lambda reply: reply == 1),
    ("guest-fsfreeze-thaw", {}, lambda reply: reply == 1),
    ("guest-fsfreeze-freeze-list", {"mountpoints": ["/data"]}, lambda reply: reply == 1),
]


def every_command(system: System) -> None:
    before: dict[str, Json] = {}
    for command, given, expected in ROWS:
        arguments = given(before) if callable(given) else given
        before[command] = agent(system, command, arguments)
        assert expected(before[command]), (command, before[command])
    refused(system, "guest-exec", "CommandDisabled", "frozen", "guest thaw", arguments={"path": "true"})
    assert agent(system, "guest-fsfreeze-thaw") == 1
    refused(system, "guest-get-devices", "CommandDisabled", "only Windows agents have it")
    refused(system, "guest-get-load", "CommandNotFound", "since 10.0")
    refused(system, "guest-file-open", "CommandFailed", "No such file", arguments={"path": "/nonexistent/x"})
    info = before["guest-info"]
    assert isinstance(info, dict)
    known = {get_str(one, "name") for one in get_list(info, "supported_commands") if isinstance(one, dict)}
    tried = {command for command, *_ in ROWS} | ELSEWHERE | {"guest-get-devices"}
    assert known <= tried, known - tried
    assert tried >= SLIDES, SLIDES - tried


# -- the verbs -----------------------------------------------------------------------------------------------------


def verb(system: System, *words: str) -> Json:
    found: Json = json.loads(ok(system, "guest", words[0], "guest", *words[1:], "-o", "json"))
    return found


def facts(system: System) -> None:
    assert "qemu-guest-agent 7.2" in ok(system, "guest", "info", "guest")
    assert "guest-get-devices" in ok(system, "guest", "info", "guest")
    assert "solovirt tiny" in ok(system, "guest", "osinfo", "guest")
    assert ok(system, "guest", "hostname", "guest").strip() == system.sh("guest", "hostname")
    assert ok(system, "guest", "tz", "guest") == "UTC (UTC+00:00)\n"
    assert ok(system, "guest", "users", "guest").startswith("USER")
    assert "127.0.0.1/8" in ok(system, "guest", "interfaces", "guest")
    assert "/dev/vdb" in ok(system, "guest", "disks", "guest") and "virtio" in ok(system, "guest", "disks", "guest")
    row = next(line.split() for line in ok(system, "guest", "fs", "guest").splitlines() if line.startswith("/data"))
    assert row[:3] == ["/data", "vda", "ext4"] and row[-1] == "/dev/vda", row
    assert [one["cpu"] for one in verb(system, "cpustats")] == [0, 1]  # type: ignore[union-attr, index, call-overload]
    assert "vda" in ok(system, "guest", "diskstats", "guest")
    done = solovirt(system, "guest", "trim", "guest", "--minimum", "64Ki")
    assert done.code == 0 and "/data" in done.out, done


def switching(system: System) -> None:
    """The clock, a CPU, a block of memory: set, seen, set back."""
    assert ok(system, "guest", "time", "guest", "--set", "2031-02-03T04:05:06Z").startswith("2031-02-03T04:05:")
    assert system.sh("guest", "date -u +%Y-%m-%d") == "2031-02-03"
    # A reply that comes late makes the clock seem late.
    wait_until(lambda: ok(system, "guest", "time", "guest", "--set").endswith("  as here\n"), 60, "the time of here")
    table = ok(system, "guest", "vcpus", "guest", "--set", "1=off").splitlines()
    assert [line.split() for line in table[1:]] == [["0", "yes", "no"], ["1", "no", "yes"]]
    assert system.sh("guest", "nproc") == "1"
    done = solovirt(system, "guest", "vcpus", "guest", "--set", "1=on,0=off")
    assert done.code == 1 and "can't be offlined" in done.err, done
    assert system.sh("guest", "nproc") == "2", "what stood before the refused one was done"
    done = solovirt(system, "guest", "memory-blocks", "guest", "--set", "0=off")
    assert done.code == 1 and done.err == "block 0: operation-failed: Invalid argument\n", done
    assert done.out.splitlines()[1].split() == ["0-2", "0x0", "384.0", "MiB", "yes", "yes"], done


def secrets(system: System, tmp_path: Path) -> None:
    """Keys and passwords of a user; the password is found nowhere but in the guest."""
    (tmp_path / "id.pub").write_text(f"{OTHER} me\n")
    words = ("--user", "fedora")
    assert "added" in ok(system, "guest", "ssh-keys", "add", "guest", str(tmp_path / "id.pub"), *words)
    assert system.sh("guest", "cat /home/fedora/.ssh/authorized_keys") == f"{KEY}\n{OTHER} me"
    assert system.sh("guest", "stat -c %u /home/fedora/.ssh/authorized_keys") == "1000"
    shown = ok(system, "guest", "ssh-keys", "ls", "guest", *words).splitlines()[1:]
    (first,) = (line.split() for line in shown if not line.endswith("me"))
    assert len(shown) == 2 and first[0] == "ssh-ed25519", shown
    ok(system, "guest", "ssh-keys", "rm", "guest", first[1], *words)
    assert system.sh("guest", "cat /home/fedora/.ssh/authorized_keys") == f"{OTHER} me"
    done = solovirt(system, "guest", "ssh-keys", "ls", "guest", "--user", "nobody-here")
    assert done.code == 1 and "nobody-here" in done.err, done

    system.ok("guest", "set-password", "guest", *words, stdin=f"{WORD}\n".encode())
    stored = system.sh("guest", "sed -n 's/^fedora:\\([^:]*\\):.*/\\1/p' /etc/shadow")
    salt = stored.split("$")[2]
    assert stored == system.sh("guest", f"mkpasswd -m sha512 -S '{salt}' '{WORD}'")
    system.ok("guest", "set-password", "guest", *words, "--crypted", stdin=stored.encode())
    assert system.sh("guest", "sed -n 's/^fedora:\\([^:]*\\):.*/\\1/p' /etc/shadow") == stored
    done = system.cli("guest", "set-password", "guest", "--user", "nobody-here", stdin=WORD.encode())
    assert done.code == 1 and "CommandFailed" in done.err and WORD not in done.err, done
    secret_words = (WORD, base64.b64encode(WORD.encode()).decode())
    told = system.daemon_log() + system.ok("get", "events", "-o", "yaml") + system.ok("get", "vmi", "-o", "yaml")
    assert not any(word in told for word in secret_words)
    for path in system.state.rglob("*"):
        if path.is_file() and path.stat().st_size < 8 << 20 and path.suffix not in (".qcow2", ".img"):
            data = path.read_bytes()
            assert not any(word.encode() in data for word in secret_words), path


def transcripts(system: System) -> None:
    """The talk's two: guest-get-osinfo, and guest-exec with its out-data decoded."""
    osinfo = agent(system, "guest-get-osinfo")
    rhel = ["name", "kernel-release", "version", "pretty-name", "version-id", "kernel-version", "machine", "id"]
    assert isinstance(osinfo, dict) and set(osinfo) == set(rhel), "the fields of the talk's rhel8.1 guest"
    request: JsonObject = {"path": "/usr/bin/date", "arg": ["+%Y-%m-%d"], "capture-output": True}
    started = agent(system, "guest-exec", request)
    assert isinstance(started, dict) and set(started) == {"pid"}

    def status() -> JsonObject:
        found = agent(system, "guest-exec-status", {"pid": started["pid"]})
        assert isinstance(found, dict)
        return found if found["exited"] else {}

    ended = wait_until(status, 60, "the end of date")
    assert ended.pop("out-truncated", False) is False, "which a newer agent says, too"
    assert set(ended) == {"exitcode", "out-data", "exited"} and ended["exitcode"] == 0
    today = base64.b64decode(get_str(ended, "out-data")).decode()
    assert today in (time.strftime("%Y-%m-%d\n", time.gmtime(time.time() - day)) for day in (0, 86400))


# -- sleep ---------------------------------------------------------------------------------------------------------


def paused(system: System) -> str:
    return get_str(system.condition(VMIS, "guest", "Paused"), "reason")


def awake(system: System) -> None:
    wait_until(lambda: paused(system) == "", 60, lambda: system.about("guest"))
    wait_until(lambda: system.cli("guest", "hostname", "guest").code == 0, 60, "an agent that answers again")


def sleeping(system: System) -> None:
    """To RAM by the verb and as it is, woken up by word, by unpause, and by a daemon that was not there before."""
    done = system.cli("guest", "suspend-hybrid", "guest")
    assert done.code == 1 and "suspend mode is not supported" in done.err and "/sys/power/state" in done.err, done
    done = system.cli("guest", "wakeup", "guest")
    assert done.code == 1 and "VMI is not suspended" in done.err, done

    assert "guest wakeup" in system.ok("guest", "suspend-ram", "guest")
    wait_until(lambda: paused(system) == "Suspended", 60, lambda: system.about("guest"))
    system.wait_printable("guest", "Paused")
    assert "Suspended" in system.ok("get", "events")
    began = time.monotonic()
    done = system.cli("guest", "osinfo", "guest")
    assert done.code == 1 and "guest wakeup" in done.err, done
    assert time.monotonic() - began < 9, "nobody waits for one that sleeps"
    assert system.ok("guest", "wakeup", "guest") == "guest is awake\n"
    awake(system)

    assert agent(system, "guest-suspend-ram") == {}
    wait_until(lambda: paused(system) == "Suspended", 60, lambda: system.about("guest"))
    system.kill()
    system.start()
    wait_until(lambda: paused(system) == "Suspended", 60, lambda: system.about("guest"))
    system.ok("unpause", "guest")
    awake(system)


# -- deaths in the middle ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def asking(system: System, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that is under way: the guest's agent stands still for some seconds."""
    # Not before this very script is answered.
    still = (
        "sleep 2; kill -STOP $(pidof qemu-ga); echo it stands still > /dev/ttyS0; sleep 8; kill -CONT $(pidof qemu-ga)"
    )
    log = system.state / "instances" / system.uid("guest") / "serial.log"
    before = log.read_bytes().count(b"it stands still")
    system.sh("guest", f"({still}) >/dev/null 2>&1 </dev/null &")
    wait_until(lambda: log.read_bytes().count(b"it stands still") > before, 60, lambda: system.about("guest"), 0.01)
    process = subprocess.Popen(
        [*system.command, *words], env=system.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        time.sleep(0.5)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def killed_daemon(system: System) -> None:
    """The guest is not harmed, and what it answers late is nobody's answer."""
    with asking(system, "guest", "hostname", "guest") as process:
        system.kill()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1 and b"error" in err.lower(), err
        system.start()
        reply = system.ok("guest", "osinfo", "guest")
    assert "solovirt tiny" in reply, "the answer to another question"
    assert system.phase("guest") == "Running"


def rebooting(system: System) -> None:
    with begins_anew(system):
        assert system.ok("guest", "reboot", "guest") == "guest was told to reboot\n"


def reset_in_its_sleep(system: System) -> None:
    """QEMU alone would let it stand for ever."""
    with begins_anew(system):
        system.ok("guest", "suspend-ram", "guest")
        wait_until(lambda: paused(system) == "Suspended", 60, lambda: system.about("guest"))
        system.ok("reset", "guest")
    assert paused(system) == ""


@contextlib.contextmanager
def begins_anew(system: System) -> Iterator[None]:
    """The machine stays, its guest boots."""
    uid, pid = system.uid("guest"), system.qemu("guest")
    system.sh("guest", "touch /run/before")
    yield
    look = ("agent", "guest", "guest-file-open", '{"path": "/run/before"}', "--timeout", "2s")
    system.wait_boot("guest", lambda: "No such file" in solovirt(system, *look).err, pause=0.3)
    assert (system.uid("guest"), system.qemu("guest")) == (uid, pid)


def killed_qemu(system: System) -> None:
    """Whoever asks is told at once; the VM starts again, as its strategy says."""
    uid = system.uid("guest")
    with asking(system, "guest", "hostname", "guest") as process:
        os.kill(system.qemu("guest"), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1 and b"AgentNotConnected" in err, err
    wait_until(lambda: system.uid("guest") not in ("", uid), 60, lambda: system.about("guest"))
    system.wait_agent("guest")


def hibernating(system: System) -> None:
    """The guest writes itself to its swap, and its machine is off."""
    system.sh("guest", PREPARE)
    assert "its machine is off" in system.ok("guest", "suspend-disk", "guest", "--timeout", "300s", timeout=330)
    wait_until(lambda: system.printable("guest") == "Stopped", 60, lambda: system.about("guest"))
