"""CPU and memory of a running guest, up and down: by the manifest, by commands, by DIMMs; and what comes in between."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str
from tests.support.manifests import tiny_kernel, vm
from tests.support.system import EXTENSIONS, SUBRESOURCES, VMIS, VMS, System, wait_until
from tests.support.tinyguest import Wire

pytestmark = pytest.mark.real

MERGE = "application/merge-patch+json"
DIMMS = {"solovirt.io/memory-hotplug": "pc-dimm"}
ROUNDS = 50
KINDS = ("HotVCPUChange", "HotMemoryChange")


def wish(system: System, name: str, *, sockets: int | None = None, memory: str = "") -> None:
    domain: JsonObject = {}
    if sockets is not None:
        domain["cpu"] = {"sockets": sockets}
    if memory:
        domain["memory"] = {"guest": memory}
    body: JsonObject = {"spec": {"template": {"spec": {"domain": domain}}}}
    system.client.call("PATCH", f"{VMS}/{name}", None, body, content_type=MERGE)


def stands(system: System, name: str) -> tuple[object, object]:
    """Sockets and memory of the status."""
    status = get_object(system.find(VMIS, name) or {}, "status")
    return get_object(status, "currentCPUTopology").get("sockets"), get_object(status, "memory").get("guestCurrent")


def told(system: System, name: str) -> list[tuple[str, str]]:
    """Conditions of changes: status and message."""
    found = (system.condition(VMIS, name, kind) for kind in KINDS)
    return [(get_str(one, "status"), get_str(one, "message")) for one in found if one]


def wait_for(system: System, name: str, sockets: int, memory: str, timeout: float = 90) -> None:
    wait_until(
        lambda: stands(system, name) == (sockets, memory) and not told(system, name),
        timeout,
        lambda: f"{sockets}, {memory}: {stands(system, name)} {told(system, name)}\n{system.about(name)}",
    )


def reasons(system: System, name: str) -> set[str]:
    events = system.items("/api/v1/namespaces/default/events")
    return {get_str(one, "reason") for one in events if get_str(get_object(one, "involvedObject"), "name") == name}


def seen(system: System, name: str) -> tuple[str, int]:
    """CPUs that are on line in the guest, and its memory in MiB."""
    text = system.sh(name, "cat /sys/devices/system/cpu/online; grep MemTotal /proc/meminfo | tr -dc 0-9")
    online, total = text.split("\n")
    return online, int(total) // 1024


def wait_seen(system: System, name: str, online: str, memory: int) -> None:
    wait_until(lambda: seen(system, name) == (online, memory), 60, lambda: f"{online}, {memory}: {seen(system, name)}")


def sizes(system: System, name: str) -> JsonObject:
    return system.client.get(f"{EXTENSIONS}/{name}/resources")


def state(system: System, name: str) -> dict[str, object]:
    """Devices, objects, descriptors and threads of a machine; vCPUs of an emulated one stay."""
    system.sh(name, "true")  # a daemon that was just started has not connected to everything yet
    process = Path(f"/proc/{system.qemu(name)}")
    opened = sorted(os.readlink(entry.path) for entry in os.scandir(process / "fd"))
    threads = sorted((task / "comm").read_text() for task in (process / "task").iterdir())
    return {
        **tree(system, name),
        "files": [target for target in opened if target.startswith("/")],
        "others": sorted(target.partition(":")[0] for target in opened if not target.startswith("/")),
        "threads": [thread for thread in threads if thread != "worker\n"],
    }


def tree(system: System, name: str) -> dict[str, object]:
    """QEMU has one monitor, and the daemon is at it."""
    path = system.runtime / "vmi" / system.uid(name) / "qmp.sock"
    system.kill()
    monitor = Wire(path)
    monitor.receive(60)
    monitor.call("qmp_capabilities")
    found: dict[str, object] = {}
    for place in ("/machine/peripheral", "/objects"):
        listed = monitor.call("qom-list", path=place)
        assert isinstance(listed, list)
        found[place] = sorted(str(one["name"]) for one in listed if isinstance(one, dict))
    monitor.close()
    system.start()
    return found


@pytest.fixture
def guest(system: System) -> str:
    system.apply(vm("guest", domain={"firmware": tiny_kernel()}))
    system.wait_agent("guest")
    return "guest"


def test_a_guest_that_follows_its_manifest(system: System, guest: str) -> None:
    for step in (up_and_down, commands, two_clients, beyond, rounds, paused, reboot_and_restart):
        began = time.monotonic()
        step(system, guest)
        print(f"{step.__name__}: {time.monotonic() - began:.1f} s")


def up_and_down(system: System, name: str) -> None:
    pid, before = system.qemu(name), seen(system, name)
    assert before[0] == "0"
    wish(system, name, sockets=3, memory="768Mi")
    wait_for(system, name, 3, "768Mi")
    wait_seen(system, name, "0-2", before[1] + 512)
    found = sizes(system, name)
    cpu, memory = get_object(found, "cpu"), get_object(found, "memory")
    assert (cpu["requested"], cpu["plugged"], cpu["guest"], cpu["most"]) == (3, 3, 3, 4)
    mib = 1 << 20
    assert (memory["requested"], memory["plugged"], memory["guest"]) == (768 * mib, 768 * mib, 768 * mib)
    assert (memory["atBoot"], memory["virtioMem"], memory["dimms"]) == (256 * mib, 512 * mib, [])
    wish(system, name, sockets=1, memory="300Mi")
    wait_for(system, name, 1, "300Mi")
    wait_seen(system, name, "0", before[1] + 44)
    assert get_object(sizes(system, name), "cpu")["guest"] == 1
    wish(system, name, sockets=2, memory="256Mi")
    wait_for(system, name, 2, "256Mi")
    wait_seen(system, name, "0-1", before[1])
    wanted = {"VCPUsPlugged", "VCPUsUnplugged", "MemoryPlugged", "MemoryUnplugged"}
    wait_until(lambda: reasons(system, name) >= wanted, 60, lambda: str(reasons(system, name)))
    assert system.qemu(name) == pid


def commands(system: System, name: str) -> None:
    assert system.ok("cpu", name, "--sockets", "3").split()[-4:] == [name, "3", "3", "3"]
    assert system.ok("memory", name, "512Mi").split()[-4:] == [name, "512Mi", "512Mi", "512Mi"]
    assert "512Mi" in system.ok("memory", name)
    assert system.ok("cpu", name, "--sockets", "3") == f"{name} has that already\n"
    # The guest needs what it has: it gives back some of it, and that is undone.
    system.sh(name, "mount -t tmpfs -o size=400m none /mnt && dd if=/dev/zero of=/mnt/full bs=1M count=300")
    done = system.cli("memory", name, "256Mi")
    assert done.code == 1 and "the guest gave back" in done.err, done
    assert "512Mi stay; the manifest is as before" in done.err and "--keep" in done.err
    system.sh(name, "umount /mnt")
    wait_for(system, name, 3, "512Mi")
    assert get_object(sizes(system, name), "memory")["requested"] == 512 << 20
    assert "UnplugRefused" in reasons(system, name)
    assert system.ok("memory", name, "256Mi").split()[-1] == "256Mi"


def two_clients(system: System, name: str) -> None:
    """Whoever wrote last is followed, whole."""

    def client(counts: tuple[int, ...]) -> None:
        for count in counts:
            wish(system, name, sockets=count, memory=f"{256 * count}Mi")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(client, ((1, 2, 3, 4), (4, 1, 3, 2))))
    spec = get_object(get_object(get_object(system.find(VMS, name) or {}, "spec"), "template"), "spec")
    domain = get_object(spec, "domain")
    count = get_object(domain, "cpu")["sockets"]
    assert isinstance(count, int) and get_object(domain, "memory")["guest"] == f"{256 * count}Mi"
    wait_for(system, name, count, f"{256 * count}Mi" if count != 4 else "1Gi")
    online = "0" if count == 1 else f"0-{count - 1}"
    wait_until(lambda: seen(system, name)[0] == online, 60, lambda: f"{online}: {seen(system, name)}")


def beyond(system: System, name: str) -> None:
    wish(system, name, sockets=2, memory="256Mi")
    wait_for(system, name, 2, "256Mi")
    for words in (("cpu", name, "--sockets", "9"), ("memory", name, "4Gi"), ("memory", name, "128Mi")):
        done = system.cli(*words)
        assert done.code == 1 and "counts from the next start" in done.err and f"solovirt restart {name}" in done.err
        assert system.condition(VMS, name, "RestartRequired").get("status") == "True"
        wish(system, name, sockets=2, memory="256Mi")
        wait_until(lambda: not system.condition(VMS, name, "RestartRequired"), 60, "taken back")
    wait_for(system, name, 2, "256Mi")


def rounds(system: System, name: str) -> None:
    """A vCPU and 128 MiB, again and again."""

    def once() -> None:
        wish(system, name, sockets=3, memory="384Mi")
        wait_for(system, name, 3, "384Mi")
        wish(system, name, sockets=2, memory="256Mi")
        wait_for(system, name, 2, "256Mi")

    once()
    before = state(system, name)
    for _ in range(ROUNDS // 10):
        once()
    wait_until(lambda: state(system, name) == before, 60, lambda: f"{before}\n{state(system, name)}")


def paused(system: System, name: str) -> None:
    """What needs the guest waits until it runs."""
    system.ok("pause", name)
    wish(system, name, sockets=3, memory="512Mi")
    wanted = [("True", "waits until the guest runs")] * 2
    wait_until(lambda: told(system, name) == wanted, 60, lambda: system.about(name))
    system.ok("unpause", name)
    wait_for(system, name, 3, "512Mi")


def reboot_and_restart(system: System, name: str) -> None:
    """What was plugged stays through a reboot; what is off line goes off line again; a restart begins with all."""
    wish(system, name, sockets=2)
    wait_for(system, name, 2, "512Mi")
    boot = system.sh(name, "cat /proc/sys/kernel/random/boot_id")
    with contextlib.suppress(ApiError):
        system.guest(name, "/bin/sh", "-c", "reboot -f &", timeout=2)

    def again() -> bool:
        with contextlib.suppress(ApiError):
            return system.sh(name, "cat /proc/sys/kernel/random/boot_id", timeout=5) != boot
        return False

    system.wait_boot(name, again, pause=0.5)
    wait_until(lambda: told_by(system, name)[0] == "0-1", 60, lambda: str(told_by(system, name)), 0.5)
    wait_until(lambda: told_by(system, name)[1] > 350, 60, lambda: str(told_by(system, name)), 0.5)
    uid = system.uid(name)
    system.client.call("PUT", f"{SUBRESOURCES}/virtualmachines/{name}/restart", None, {})
    wait_until(lambda: system.uid(name) not in ("", uid), 60, lambda: system.about(name))
    system.wait_agent(name)
    wait_for(system, name, 2, "512Mi")
    assert get_object(sizes(system, name), "memory")["atBoot"] == 512 << 20


def told_by(system: System, name: str) -> tuple[str, int]:
    """As :func:`seen`, of a guest that may not answer yet."""
    with contextlib.suppress(ApiError):
        return seen(system, name)
    return "", 0


def test_dimms(system: System) -> None:
    """What the talk does, by the manifest: for guests without a driver for virtio-mem."""
    made = vm("dimms", domain={"firmware": tiny_kernel()})
    get_object(get_object(made, "spec"), "template")["metadata"] = {"annotations": {**DIMMS}}
    system.apply(made)
    system.wait_agent("dimms")
    before = state(system, "dimms"), seen(system, "dimms")[1]
    wish(system, "dimms", memory="640Mi")
    wait_for(system, "dimms", 1, "640Mi")
    assert get_object(sizes(system, "dimms"), "memory")["dimms"] == [256 << 20, 128 << 20]
    wait_seen(system, "dimms", "0", before[1] + 384)
    wish(system, "dimms", memory="384Mi")
    wait_for(system, "dimms", 1, "384Mi")
    assert get_object(sizes(system, "dimms"), "memory")["dimms"] == [128 << 20]
    done = system.cli("memory", "dimms", "330Mi")
    assert done.code == 1 and "DIMMs go as a whole, and there are 128Mi" in done.err
    done = system.cli("memory", "dimms", "450Mi")
    assert done.code == 1 and "in steps of 128Mi" in done.err
    wait_for(system, "dimms", 1, "384Mi")
    for _ in range(ROUNDS // 10):
        wish(system, "dimms", memory="256Mi")
        wait_for(system, "dimms", 1, "256Mi")
        wish(system, "dimms", memory="384Mi")
        wait_for(system, "dimms", 1, "384Mi")
    wish(system, "dimms", memory="256Mi")
    wait_for(system, "dimms", 1, "256Mi")
    wait_until(lambda: state(system, "dimms") == before[0], 60, lambda: f"{before}\n{state(system, 'dimms')}")
    wait_seen(system, "dimms", "0", before[1])
    killed(system, "dimms", {"dimm": lambda up: wish(system, "dimms", memory="640Mi" if up else "256Mi")})
    end_of_qemu(system, "dimms", lambda: wish(system, "dimms", memory="640Mi"), (1, "640Mi"))


def killed(system: System, name: str, cuts: dict[str, Callable[[bool], None]]) -> None:
    """The daemon dies on the way up and on the way down: the next one gets there."""
    pid = system.qemu(name)
    for act in cuts.values():
        for up, pause in ((True, 0.02), (False, 0.05), (True, 0.15), (False, 0.3)):
            act(up)
            time.sleep(pause)
            system.kill()
            system.start()
            spec = get_object(get_object(get_object(system.find(VMS, name) or {}, "spec"), "template"), "spec")
            domain = get_object(spec, "domain")
            sockets = get_object(domain, "cpu").get("sockets") or 1
            assert isinstance(sockets, int)
            wait_for(system, name, sockets, get_str(get_object(domain, "memory"), "guest"))
            assert system.qemu(name) == pid
            assert [one for one in get_list(get_object(sizes(system, name), "memory"), "dimms")] == [
                1 << 28, 1 << 27,
            ] * (name == "dimms" and up)  # fmt: skip


def end_of_qemu(system: System, name: str, act: Callable[[], None], after: tuple[int, str]) -> None:
    """QEMU dies in the middle: the VM starts again with what was wished for."""
    system.client.call("PATCH", f"{VMS}/{name}", None, {"spec": {"runStrategy": "Manual"}}, content_type=MERGE)
    act()
    time.sleep(0.1)
    os.kill(system.qemu(name), signal.SIGKILL)
    wait_until(lambda: system.phase(name) in ("Failed", ""), 60, lambda: system.about(name))
    system.ok("start", name)
    system.wait_phase(name, "Running")
    wait_for(system, name, *after)
    boot = get_object(get_object(system.find(VMIS, name) or {}, "status"), "memory").get("guestAtBoot")
    assert (boot, told(system, name)) == (after[1], [])


def test_killed_in_the_middle(system: System, guest: str) -> None:
    killed(
        system,
        guest,
        {
            "cpus": lambda up: wish(system, guest, sockets=3 if up else 1),
            "memory": lambda up: wish(system, guest, memory="768Mi" if up else "256Mi"),
        },
    )
    wait_until(lambda: seen(system, guest)[0] == "0", 60, lambda: str(seen(system, guest)))
    wish(system, guest, sockets=2, memory="384Mi")
    wait_for(system, guest, 2, "384Mi")
    end_of_qemu(system, guest, lambda: wish(system, guest, sockets=1, memory="256Mi"), (1, "256Mi"))
    system.wait_agent(guest)
    end_of_qemu(system, guest, lambda: wish(system, guest, sockets=3, memory="512Mi"), (3, "512Mi"))
