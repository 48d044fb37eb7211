"""The way that a newcomer takes: apply a manifest, look at it, use the guest, stop it, delete it."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import JsonObject, get_object, get_str
from tests.support import terminal
from tests.support.manifests import TINY, disk, tiny_disk, tiny_kernel, vm
from tests.support.system import EXAMPLES, EXTENSIONS, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real


def rows(table: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]


def check_tables(system: System) -> None:
    header, row = rows(system.ok("get", "vm"))
    assert header == ["NAME", "AGE", "STATUS", "READY"]
    assert row[0] == "hello" and row[2:] == ["Running", "True"], row
    header, row = rows(system.ok("get", "vmi", "-o", "wide"))
    assert header == ["NAME", "AGE", "PHASE", "IP", "NODENAME", "READY", "LIVE-MIGRATABLE", "PAUSED"]
    assert row[0] == "hello" and row[2:4] == ["Running", "10.0.2.2"] and row[5] == "True", row
    assert system.ok("get", "vm", "-o", "name") == "virtualmachine.kubevirt.io/hello\n"


def check_status(system: System) -> None:
    system.ok("wait", "vmi", "hello", "--for=condition=AgentConnected")
    system.ok("wait", "vm", "hello", "--for=condition=Ready")
    vmi = json.loads(system.ok("get", "vmi", "hello", "-o", "json"))["status"]
    assert vmi["guestOSInfo"]["id"] == "solovirt-tiny", vmi["guestOSInfo"]
    assert [t["phase"] for t in vmi["phaseTransitionTimestamps"]][-1] == "Running"
    assert vmi["nodeName"]
    software = system.condition(VMIS, "hello", "SoftwareEmulation")
    assert software["status"] == "True" and "SOLOVIRT_ACCEL" in str(software["message"]), software
    described = system.ok("describe", "vmi", "hello")
    for reason in ("Started", "SoftwareEmulation"):
        assert reason in described, described
    assert "SuccessfulCreate" in system.ok("get", "events"), system.ok("get", "events")
    assert "SuccessfulCreate" in system.ok("describe", "vm", "hello")


def check_exec(system: System) -> None:
    done = system.cli("exec", "hello", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    done = system.cli("exec", "-i", "hello", "--", "wc", "-c", stdin=b"x" * 100_000)
    assert (done.code, done.out.strip()) == (0, "100000")
    done = system.cli("exec", "hello", "--", "/no/such/program")
    assert done.code == 127 and "/no/such/program" in done.err, done
    done = system.cli("exec", "--timeout=1s", "hello", "--", "sleep", "30")
    assert done.code == 124 and "the time is over" in done.err, done
    done = system.cli("exec", "--no-stream", "--timeout=1s", "hello", "--", "sleep", "30")
    assert done.code == 1 and "1 s" in done.err, done
    assert json.loads(system.ok("agent", "hello", "guest-get-host-name")) == {"return": {"host-name": "hello"}}
    done = system.cli("agent", "hello", "guest-no-such-command")
    assert done.code == 1 and "guest-no-such-command" in done.err, done


def check_guest(system: System) -> None:
    """What the seed did, and the network as the guest sees it."""
    system.wait_seed_script("hello")
    assert system.sh("hello", "cat /etc/motd; hostname") == "hello from hello\nhello"
    assert "inet 10.0.2.2/24" in system.sh("hello", "ip -4 addr show")
    assert system.sh("hello", "ip route show default").startswith("default via 10.0.2.1 ")
    assert "10.0.2.3" in system.sh("hello", "cat /etc/resolv.conf")


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def check_outward(system: System) -> None:
    """TCP from the guest to a server of this host, which is the gateway to it; DNS gets an answer from there too."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            port = server.server_port
            assert system.sh("hello", f"wget -q -O - http://10.0.2.1:{port}/") == "from the host"
        finally:
            server.shutdown()
            thread.join()

    def resolved() -> bool:
        answer = system.guest("hello", "nslookup", "-timeout=3", "localhost.", "10.0.2.3", timeout=40)
        return "timed out" not in answer.out or not nameserver_answers()

    wait_until(resolved, 60, "an answer of the nameserver that answers us")


def nameserver_answers() -> bool:
    """Whether this host's own nameserver does; the guest's queries (UDP) are passed on to it."""
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    servers = [line.split()[1] for line in lines if line.startswith("nameserver") and "." in line]
    query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01"
    for server in servers[:1]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
            sock.settimeout(3)
            sock.sendto(query, (server, 53))
            return bool(sock.recv(512))
    return False


def check_logs(system: System) -> None:
    assert "user-data script ended with status 0" in system.ok("logs", "hello")
    assert system.cli("logs", "hello", "--qemu").code == 0
    assert len(system.ok("logs", "hello", "--tail=1").splitlines()) == 1
    with following(system, "logs", "hello", "-f", "--tail=1") as lines:
        lines.expect("")
        system.sh("hello", "echo said now > /dev/ttyS0")
        lines.expect("said now")


class Following:
    """The output of a command that goes on until it is interrupted (^C)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def expect(self, wanted: str, timeout: float = 60) -> None:
        """Reads on until a line has it; the command is killed, and that is a failure, when none comes."""
        assert self._process.stdout is not None
        alarm = threading.Timer(timeout, self._process.kill)
        alarm.start()
        try:
            seen = []
            for line in iter(self._process.stdout.readline, ""):
                seen.append(line)
                if wanted in line:
                    return
            raise AssertionError(f"{wanted!r} did not come: {seen}")
        finally:
            alarm.cancel()


@contextlib.contextmanager
def following(system: System, *words: str) -> Iterator[Following]:
    """Start the command; at the end ^C, which it takes as no error to shout about."""
    command = [*system.command, *words]
    with subprocess.Popen(
        command, env=system.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Following(process)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (130, "")
        finally:
            process.kill()


def check_console(system: System) -> None:
    with terminal.running([*system.command, "console", "hello"], system.environ) as screen:
        before = screen.modes()
        screen.expect(b"Successfully connected")
        screen.send(b"\n")
        screen.expect(b"root@hello:")
        screen.send(b"echo $((6*7))-answer\n")
        screen.expect(b"42-answer")
        assert screen.modes() != before, "the terminal is raw while the console is open"
        screen.send(terminal.ESCAPE)
        assert screen.process.wait(60) == 0
        assert screen.modes() == before, "the terminal is as it was"


def check_explain(system: System) -> None:
    """Every word that QEMU runs with is explained."""
    words = Path(f"/proc/{system.qemu('hello')}/cmdline").read_text().split("\0")[:-1]
    explained = system.ok("explain", "vm", "hello", "-o", "argv")
    assert shlex.split(explained.replace("\\\n", " ")) == words
    table = system.ok("explain", "vm", "hello")
    assert "spec.template.spec.domain.memory.guest" in table


def test_hello(system: System) -> None:
    """examples/hello.yaml from apply to delete."""
    assert system.ok("apply", "-f", str(EXAMPLES / "hello.yaml")) == "virtualmachine.kubevirt.io/hello created\n"
    assert system.ok("apply", "-f", str(EXAMPLES / "hello.yaml")) == "virtualmachine.kubevirt.io/hello unchanged\n"
    system.wait_agent("hello")
    wait_until(lambda: "10.0.2.2" in system.ok("get", "vmi"), 60, lambda: system.about("hello"))
    check_tables(system)
    check_status(system)
    check_exec(system)
    check_guest(system)
    check_outward(system)
    check_logs(system)
    check_console(system)
    check_explain(system)
    check_pause(system)
    check_restart(system)
    check_stop(system)
    check_deletion(system)


def check_pause(system: System) -> None:
    assert system.ok("pause", "vm", "hello") == "VMI hello was scheduled to pause\n"
    system.wait_printable("hello", "Paused")
    assert system.condition(VMIS, "hello", "Paused")["status"] == "True"
    done = system.cli("exec", "--timeout=2s", "hello", "--", "true")
    assert done.code == 1, "a paused guest answers nobody"
    done = system.cli("pause", "vm", "hello")
    assert done.code == 1 and "paused" in done.err, done
    assert system.ok("unpause", "vm", "hello") == "VMI hello was scheduled to unpause\n"
    system.wait_printable("hello", "Running")
    wait_until(lambda: system.cli("exec", "hello", "--", "true").code == 0, 60, "an answer after unpause")


def check_restart(system: System) -> None:
    """A new VMI, a new QEMU, the same identity; what was written to the image's overlay is gone."""
    uid, pid = system.uid("hello"), system.qemu("hello")
    identity = "cat /sys/class/net/eth0/address /sys/class/dmi/id/product_uuid"
    before = system.sh("hello", identity)
    assert system.ok("restart", "hello", "--wait") == "VM hello was scheduled to restart\n"
    assert system.uid("hello") != uid
    assert system.qemu("hello") != pid
    assert pid not in system.processes()
    system.wait_agent("hello")
    assert system.sh("hello", identity) == before


def check_stop(system: System) -> None:
    """The guest is shut down in order: its init says so."""
    began = time.monotonic()
    system.ok("stop", "hello", "--wait")
    assert time.monotonic() - began < 30, "the guest was not asked to shut down, but killed after its grace period"
    assert system.printable("hello") == "Stopped"
    wait_until(lambda: system.find(VMIS, "hello") is None, 60, lambda: system.about("hello"))
    assert system.qemus() == {}
    done = system.cli("stop", "hello")
    assert done.code == 1 and "hello" in done.err, done
    done = system.cli("exec", "hello", "--", "true")
    assert done.code == 1 and "hello" in done.err, done
    system.ok("start", "hello", "--wait")
    assert system.printable("hello") == "Running"


def check_deletion(system: System) -> None:
    said = system.ok("delete", "-f", str(EXAMPLES / "hello.yaml"), timeout=60)
    assert "virtualmachine.kubevirt.io" in said and "hello" in said and "deleted" in said
    assert system.find(VMS, "hello") is None
    assert system.cli("get", "vm", "hello").code == 1


def ask(system: System, name: str, *, mode: str) -> None:
    body: JsonObject = {"command": "guest-shutdown", "arguments": {"mode": mode}}
    system.client.call("POST", f"{EXTENSIONS}/{name}/agent", None, body)


BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def rebooted(system: System, name: str, before: str) -> bool:
    try:
        return system.sh(name, BOOT_ID, timeout=5) != before
    except ApiError:
        return False


def test_stop_request_of_the_guest_itself(system: System) -> None:
    """A guest that reboots goes on; of those that power off, RerunOnFailure leaves it off, Always starts it again."""
    firmware = {"firmware": tiny_kernel()}
    system.apply(vm("rerun", strategy="RerunOnFailure", domain=firmware), vm("always", domain=firmware))
    for name in ("rerun", "always"):
        system.wait_agent(name)
    uid, pid = system.uid("always"), system.qemu("always")
    boot = system.sh("always", BOOT_ID)
    ask(system, "always", mode="reboot")
    wait_until(lambda: rebooted(system, "always", boot), 60, lambda: f"a reboot: {system.about('always')}", 0.3)
    assert (system.uid("always"), system.qemu("always")) == (uid, pid), "a reboot is the guest's own affair"
    for name in ("rerun", "always"):
        ask(system, name, mode="powerdown")
    wait_until(lambda: system.uid("always") not in ("", uid), 60, lambda: system.about("always"))
    system.wait_phase("always", "Running")
    wait_until(lambda: system.printable("rerun") in ("Stopped", "Succeeded"), 60, lambda: system.about("rerun"))


def test_edit_changes_the_next_start(system: System) -> None:
    system.apply(vm("edited", strategy="Halted", volumes=[tiny_disk()], disks=[disk("root")]))
    done = system.cli("edit", "vm", "edited", environ={"EDITOR": "sed -i 's/guest: 256Mi/guest: 192Mi/'"})
    assert done.code == 0 and "edited" in done.out, done
    found = system.find(VMS, "edited")
    assert "192Mi" in json.dumps(found)
    done = system.cli("edit", "vm", "edited", environ={"EDITOR": "sed -i 's/guest: 192Mi/guest: lots/'"})
    assert done.code == 1 and "lots" in done.err, done
    assert "192Mi" in json.dumps(system.find(VMS, "edited"))
    system.ok("start", "edited", "--paused")
    system.wait_printable("edited", "Paused")
    words = Path(f"/proc/{system.qemu('edited')}/cmdline").read_text()
    assert "192" in words or "201326592" in words


def test_a_change_to_a_running_vm_waits_for_its_restart(system: System) -> None:
    system.apply(vm("changed", memory="64Mi", template={"startStrategy": "Paused"}))
    system.wait_printable("changed", "Paused")
    system.apply(vm("changed", memory="96Mi", template={"startStrategy": "Paused"}))
    wait_until(
        lambda: system.condition(VMS, "changed", "RestartRequired").get("status") == "True",
        60,
        lambda: system.about("changed"),
    )


def test_pulled_out_of_the_wall(system: System) -> None:
    """--force --grace-period=0 does not ask the guest."""
    system.apply(vm("forced", memory="64Mi", template={"terminationGracePeriodSeconds": 3600}))
    system.wait_phase("forced", "Running")
    system.ok("stop", "forced", "--force", "--grace-period=0", "--wait", "--timeout=60s")
    assert system.qemus() == {}


def test_wait_watch_and_selectors(system: System) -> None:
    manifest = vm("labelled", strategy="Halted", volumes=[tiny_disk()], disks=[disk("root")])
    get_object(manifest, "metadata")["labels"] = {"tier": "test"}
    system.apply(manifest)
    assert "labelled" in system.ok("get", "vm", "-l", "tier=test")
    assert "labelled" not in system.ok("get", "vm", "-l", "tier!=test")
    done = system.cli("wait", "vm", "labelled", "--for=condition=Ready", "--timeout=1s")
    assert done.code == 1 and "timed out" in done.err
    with following(system, "get", "vm", "-w") as lines:
        lines.expect("Stopped")
        system.ok("start", "labelled", "--paused")
        for status in ("Starting", "Paused"):
            lines.expect(status)
    found = json.loads(system.ok("get", "vm", "labelled", "-o", "json"))
    assert get_str(found["spec"]["template"]["spec"]["volumes"][0]["containerDisk"], "image") == TINY
