"""The machine itself, in one guest: its screen, keys, monitor, clock, memory and reboots; and what dies in between."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from solovirt.cli.client import ApiError, downloaded
from solovirt.hypervisor import resets
from solovirt.kit.errors import SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_object, get_str
from tests.support import elfcore
from tests.support.manifests import claim, tiny_kernel, vm
from tests.support.system import EXTENSIONS, SUBRESOURCES, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
MARK = "cat /dev/shm/mark 2> /dev/null || cat /tmp/mark"


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """Nothing fits any more."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)], check=True)
    try:
        (folder / "full").write_bytes(bytes(4096))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run_state(system: System, name: str) -> str:
    reply = system.client.call("POST", f"{EXTENSIONS}/{name}/qmp", None, {"command": "query-status"})
    return get_str(get_object(reply, "return"), "status")


def dump_state(system: System, name: str) -> JsonObject:
    return get_object(system.client.call("POST", f"{EXTENSIONS}/{name}/qmp", None, {"command": "query-dump"}), "return")


def rebooted(system: System, name: str, before: str) -> str:
    """The new boot's id, once the agent of it answers."""

    def look() -> str:
        try:
            found = system.sh(name, BOOT_ID, timeout=5)
        except (SolovirtError, AssertionError):
            return ""
        return found if found != before else ""

    return wait_until(look, 90, lambda: f"a reboot: {system.about(name)}", 0.3)


def request(system: System, name: str) -> JsonObject:
    return get_object(get_object(system.find(VMS, name) or {}, "status"), "memoryDumpRequest")


def settled(system: System, name: str) -> JsonObject:
    done = ("Completed", "Failed")
    wait_until(lambda: request(system, name).get("phase") in done, 60, lambda: system.about(name))
    return request(system, name)


def screen_and_keys(system: System, place: Path) -> None:
    system.ok("screenshot", "m", "-m", "-f", str(place / "m.png"))
    assert (place / "m.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    if os.geteuid() == 0:
        with full_disk(place / "full") as full:
            for verb in ("screenshot", "memory-dump"):
                done = system.cli(verb, "m", "-f", str(full / "x"))
                assert done.code == 1 and "No space left on device" in done.err, done
                assert os.listdir(full) == ["full"]
        wait_until(lambda: run_state(system, "m") == "running", 60, "the guest goes on")
    system.ok("send-keys", "m", "ctrl-alt-f2", "--text", "Hello, World!\n")
    assert "did you mean" in system.cli("send-keys", "m", "ctrl-alt-delte").err
    system.ok("nmi", "m")
    assert "NMI received" in system.sh("m", "dmesg")


def monitor(system: System) -> None:
    assert '"running": true' in system.ok("qmp", "m", "query-status")
    assert "VM status: running" in system.ok("qmp", "m", "human-monitor-command", '{"command-line": "info status"}')
    assert "has to be confirmed" in system.cli("qmp", "m", "set_link", '{"name": "x", "up": true}').err
    assert "DeviceNotFound" in system.cli("qmp", "m", "--yes", "set_link", '{"name": "x", "up": true}').err
    assert "is refused" in system.cli("qmp", "m", "--yes", "getfd", '{"fdname": "x"}').err
    told = system.ok("events", "--for", "vmi/m")
    assert "set_link name=x up=true" in told and "MonitorCommandRefused" in told


def clock(system: System) -> None:
    system.ok("pause", "m")
    time.sleep(3)
    began = time.monotonic()
    system.ok("unpause", "m")
    assert time.monotonic() - began < 9, "nobody waits for the clock"

    def late() -> float:
        return abs(time.time() - float(system.sh("m", "date +%s")))

    wait_until(lambda: late() < 2, 60, lambda: f"the guest's clock, late by {late():.1f} s")


def reset_while_paused(system: System) -> None:
    """It stays paused, whoever looks after it."""
    system.ok("pause", "m")
    system.ok("reset", "m")
    system.kill()
    system.start()
    assert system.condition(VMIS, "m", "Paused")["status"] == "True" and run_state(system, "m") == "prelaunch"
    system.ok("unpause", "m")
    assert run_state(system, "m") == "running"
    system.wait_agent("m")


def dump_after_reset(system: System) -> None:
    """The firmware resets the machine once more, and QEMU 7.2 does not survive that the moment a dump begins."""
    system.client.call("PUT", f"{SUBRESOURCES}/virtualmachineinstances/m/reset", None, {})
    began = time.monotonic()
    response = system.client.download(f"{EXTENSIONS}/m/memorydump")
    assert time.monotonic() - began > 0.9 * resets.ECHO
    next(downloaded(response))
    response.close()
    wait_until(lambda: run_state(system, "m") == "running", 60, lambda: system.about("m"))


def dumps(system: System, place: Path) -> None:
    mark = f"mark-{os.urandom(8).hex()}"
    system.sh("m", f"echo {mark} > /dev/shm/mark || echo {mark} > /tmp/mark")
    core = place / "m.elf"
    system.ok("memory-dump", "m", "-f", str(core))
    found = elfcore.read(core)
    assert found.memory >= 256 << 20 and {"CORE", "QEMU"} <= set(found.notes), found
    assert elfcore.contains(core, mark.encode()) and core.stat().st_mode & 0o777 == 0o600
    assert run_state(system, "m") == "running" and system.sh("m", MARK) == mark
    system.ok("pause", "m")
    system.ok("memory-dump", "m", "-f", str(core), "--format", "kdump-zlib")
    assert core.read_bytes()[:12] == b"makedumpfile" and run_state(system, "m") == "paused"
    system.ok("unpause", "m")
    assert "Memory dump completed" in system.ok("memory-dump", "get", "m", "--claim-name=dumps", "--wait")
    done = settled(system, "m")
    (file,) = (system.state / "volumes" / "default" / "dumps").glob("*.memory.dump")
    assert done["fileName"] == file.name and elfcore.read(file).memory == found.memory
    assert elfcore.contains(file, mark.encode())


def killed_during_dumps(system: System) -> None:
    """The daemon dies: a stream is given up and the guest goes on; a dump into a claim is finished by the next."""
    response = system.client.open("GET", f"{EXTENSIONS}/m/memorydump", accept="*/*")
    next(response.chunks())
    assert run_state(system, "m") == "save-vm"
    with pytest.raises(ApiError, match="a memory dump is under way"):
        system.client.call("PUT", f"{SUBRESOURCES}/virtualmachineinstances/m/pause", None, {})
    system.kill()
    response.close()
    system.start()
    wait_until(lambda: run_state(system, "m") == "running", 60, lambda: system.about("m"))
    assert dump_state(system, "m")["status"] == "failed"
    system.ok("memory-dump", "get", "m")
    system.kill()
    system.start()
    assert settled(system, "m")["phase"] == "Completed"
    folder = system.state / "volumes" / "default" / "dumps"
    (file,) = folder.glob("*.memory.dump")
    assert elfcore.read(file).memory >= 256 << 20
    assert sorted(os.listdir(folder)) == sorted(["disk.qcow2", file.name])


def agent_gone(system: System) -> None:
    wait_until(lambda: not system.condition(VMIS, "m", "AgentConnected"), 60, lambda: system.about("m"))


def reboots(system: System) -> None:
    """One whole reboot; of the others, that they begin: a guest takes its time."""
    uid, boot = system.uid("m"), system.sh("m", BOOT_ID)
    system.sh("m", "(sleep 0.3; killall qemu-ga) > /dev/null 2>&1 &")
    agent_gone(system)
    system.ok("soft-reboot", "m")
    system.kill()  # the guest powers off while nobody looks
    time.sleep(1)
    system.start()
    rebooted(system, "m", boot)
    assert "Rebooted" in system.ok("events", "--for", "vmi/m")
    system.ok("soft-reboot", "m")
    agent_gone(system)
    system.ok("reset", "m")
    assert system.uid("m") == uid and run_state(system, "m") == "running", "the same machine all the time"


def qemu_dies(system: System) -> None:
    response = system.client.download(f"{EXTENSIONS}/m/memorydump")
    chunks = downloaded(response)
    next(chunks)
    os.kill(system.qemu("m"), signal.SIGKILL)
    with pytest.raises(ApiError, match="QEMU ended before the memory dump was complete"):
        for _ in chunks:
            pass
    response.close()
    assert "MemoryDumpFailed" in system.ok("events", "-A")


def test_the_machine(system: System, tmp_path: Path) -> None:
    graphics: JsonObject = {"autoattachGraphicsDevice": True}
    system.apply(vm("m", domain={"firmware": tiny_kernel()}, devices=graphics), claim("dumps", "400Mi"))
    system.wait_agent("m")
    screen_and_keys(system, tmp_path)
    monitor(system)
    clock(system)
    dumps(system, tmp_path)
    killed_during_dumps(system)
    reboots(system)
    dump_after_reset(system)
    reset_while_paused(system)
    qemu_dies(system)
