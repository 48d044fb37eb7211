"""Disks and media that come and go, and disks that grow, while the machine runs.

One guest is asked what it sees; what needs no guest is done with machines that are paused before
their first instruction.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from solovirt.cli.client import ApiError
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str
from tests.support.manifests import claim, disk, small, tiny_disk
from tests.support.system import CLAIMS, SUBRESOURCES, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).parents[3] / "examples"
ROUNDS = int(os.environ.get("SOLOVIRT_TEST_ROUNDS", "50"))
MERGE = "application/merge-patch+json"
DRIVES: list[Json] = [{"name": "cd", "cdrom": {"bus": "scsi"}}, {"name": "sata", "cdrom": {"bus": "sata"}}]
NO_VOLUMES: dict[str, str] = {}
GUEST = "hotplug-disk"
"""The machine of the example: its disks are its root, vda, and a drive."""


def on(name: str, claim_name: str) -> JsonObject:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name, "hotpluggable": True}}


def edit(system: System, name: str, disks: list[Json], volumes: list[Json]) -> None:
    """Disks and volumes of the VM; what it was started with stays."""
    if name == GUEST:
        disks, volumes = [disk("root"), DRIVES[0], *disks], [tiny_disk(), *volumes]
    else:
        disks = [*DRIVES, *disks]
    spec: JsonObject = {"domain": {"devices": {"disks": disks}}, "volumes": volumes}
    body: JsonObject = {"spec": {"template": {"spec": spec}}}
    system.client.call("PATCH", f"{VMS}/{name}", None, body, content_type=MERGE)


def add(system: System, name: str, volume: str, bus: str) -> int:
    """addvolume as virtctl sends it; the HTTP code."""
    body: JsonObject = {
        "name": volume,
        "disk": {"name": "", "disk": {"bus": bus}, "serial": volume},
        "volumeSource": {"persistentVolumeClaim": {"claimName": volume, "hotpluggable": True}},
    }
    try:
        system.client.call("PUT", f"{SUBRESOURCES}/virtualmachines/{name}/addvolume", None, body)
    except ApiError as error:
        return error.status
    return 202


def remove(system: System, name: str, volume: str) -> None:
    system.client.call("PUT", f"{SUBRESOURCES}/virtualmachines/{name}/removevolume", None, {"name": volume})


def volumes(system: System, name: str) -> dict[str, JsonObject]:
    """Those that come and go."""
    found = get_list(get_object(system.find(VMIS, name) or {}, "status"), "volumeStatus")
    return {get_str(one, "name"): one for one in found if isinstance(one, dict) and "hotplugVolume" in one}


def phases(system: System, name: str) -> dict[str, str]:
    return {volume: get_str(found, "phase") for volume, found in volumes(system, name).items()}


def reasons(system: System, name: str) -> set[tuple[str, str]]:
    return {(volume, get_str(found, "reason")) for volume, found in volumes(system, name).items()}


def wait_phases(system: System, name: str, wanted: dict[str, str], timeout: float = 60) -> None:
    def about() -> str:
        return f"{wanted}, there is {json.dumps(volumes(system, name))}\n{system.about(name)}"

    wait_until(lambda: phases(system, name) == wanted, timeout, about, 0.01)


def wait_condition(system: System, name: str, reason: str) -> str:
    def found() -> JsonObject:
        condition = system.condition(VMIS, name, "VolumesChange")
        return condition if condition.get("reason") == reason else {}

    return get_str(wait_until(found, 60, lambda: f"{reason}: {system.about(name)}"), "message")


class Monitor:
    """QEMU's own monitor; it serves one client at a time, so there is no daemon meanwhile."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, arguments: JsonObject | None = None) -> list[JsonObject]:
        # QEMU gives us the replies, too, to commands of the daemon that was just killed.
        ours = f"{command} {time.monotonic_ns()}"
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments or {}, "id": ours}).encode())
        while (answer := json.loads(self._lines.readline())).get("id") != ours:
            continue
        assert "return" in answer, answer
        found = answer["return"]
        return found if isinstance(found, list) else []

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def inside(system: System, name: str) -> dict[str, list[str]]:
    """QOM tree and block nodes of a machine."""
    path = system.runtime / "vmi" / system.uid(name) / "qmp.sock"
    system.kill()
    monitor = Monitor(path)
    try:
        found = {
            tree: sorted(get_str(one, "name") for one in monitor.ask("qom-list", {"path": tree}))
            for tree in ("/machine/peripheral", "/machine/peripheral-anon", "/objects", "/machine/unattached")
        }
        nodes = monitor.ask("query-named-block-nodes", {"flat": True})
    finally:
        monitor.close()
    system.start()
    return {**found, "nodes": sorted(get_str(one, "node-name") for one in nodes)}


def outside(system: System, name: str) -> dict[str, object]:
    """Descriptors and threads of a machine's process; workers of its thread pool come and go as they like."""
    process = Path(f"/proc/{system.qemu(name)}")
    opened = sorted(os.readlink(entry.path) for entry in os.scandir(process / "fd"))
    threads = sorted((task / "comm").read_text().strip() for task in (process / "task").iterdir())
    return {
        "files": [target for target in opened if target.startswith("/")],
        "others": sorted(target.partition(":")[0] for target in opened if not target.startswith("/")),
        "threads": [thread for thread in threads if thread != "worker"],
    }


def patch_size(system: System, name: str, size: str) -> None:
    body: JsonObject = {"spec": {"resources": {"requests": {"storage": size}}}}
    system.client.call("PATCH", f"{CLAIMS}/{name}", None, body, content_type=MERGE)


def capacity(system: System, name: str) -> str:
    found = get_object(get_object(system.find(CLAIMS, name) or {}, "status"), "capacity")
    return get_str(found, "storage")


def image(system: System, name: str) -> Path:
    return system.state / "volumes" / "default" / name / "disk.qcow2"


def blocks(system: System, name: str) -> dict[str, int]:
    """Disks that the guest sees besides its root: name -> KiB."""
    lines = [line.split() for line in system.sh(name, "cat /proc/partitions").splitlines()[1:]]
    return {words[3]: int(words[2]) for words in lines if len(words) == 4 and words[3][:3] not in ("sr0", "vda")}


def wait_blocks(system: System, name: str, wanted: dict[str, int]) -> None:
    wait_until(lambda: blocks(system, name) == wanted, 60, lambda: f"{wanted}, the guest has {blocks(system, name)}")


def addresses(system: System) -> str:
    """Where the guest finds its disks: PCI address and LUN by serial number. Names follow the order of a boot."""
    return system.sh(
        GUEST,
        "for d in /sys/block/vd*; do echo $(cat $d/serial) $(readlink -f $d | sed s,/virtio.*,,); done | grep fast;"
        " readlink -f /sys/block/sda | sed s,/virtio.*,,; basename $(readlink -f /sys/block/sda/device) | cut -d: -f4",
    )


def test_a_guest_with_disks_that_come_and_go(system: System) -> None:
    system.apply(claim("fast", "64Mi"), claim("slow", "32Mi"), claim("disc", "16Mi"))
    system.ok("apply", "-f", str(EXAMPLES / "hotplug-disk.yaml"))
    system.wait_agent(GUEST)
    the_example(system)
    two_clients(system)
    data_stays(system)
    they_grow(system)
    rounds_leave_nothing(system)
    a_paused_guest_keeps_its_disk(system)
    ports_run_out(system)
    reboot_and_restart(system)


def the_example(system: System) -> None:
    """examples/hotplug-disk.yaml, as its comment says."""
    system.ok("addvolume", GUEST, "--volume-name=hotplug-data", "--bus=virtio", "--wait")
    wait_until(lambda: blocks(system, GUEST).get("vdb") == 65536, 60, "the guest has its disk")
    system.ok("cdrom", "insert", GUEST, "cd", "--volume-name=hotplug-disc", "--wait")
    read = "dd if=/dev/sr0 bs=2048 count=1 of=/dev/null 2>/dev/null && blockdev --getsize64 /dev/sr0"
    wait_until(lambda: system.guest(GUEST, "/bin/sh", "-c", read).out == f"{16 << 20}\n", 60, "the disc")
    system.ok("cdrom", "eject", GUEST, "cd", "--wait")
    system.ok("removevolume", GUEST, "--volume-name=hotplug-data", "--wait")
    assert phases(system, GUEST) == NO_VOLUMES


def two_clients(system: System) -> None:
    """Who adds the same volume at the same time: one does, the others are told."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: add(system, GUEST, "fast", "virtio"), range(4)))
    assert sorted(codes) == [202, 409, 409, 409]
    assert add(system, GUEST, "slow", "scsi") == 202
    wait_phases(system, GUEST, {"fast": "Ready", "slow": "Ready"})
    wait_blocks(system, GUEST, {"vdb": 65536, "sda": 32768})
    assert system.sh(GUEST, "cat /sys/block/vdb/serial") == "fast"
    shown = volumes(system, GUEST)
    assert {name: shown[name]["size"] for name in shown} == {"fast": 64 << 20, "slow": 32 << 20}
    assert (shown["fast"]["target"], shown["fast"]["hotplugVolume"]) == ("vdb", {})


def data_stays(system: System) -> None:
    """Write, sync, unplug, plug again, read."""
    write = "dd if=/dev/urandom of=/tmp/p bs=64k count=16 2>/dev/null; dd if=/tmp/p of={0} bs=64k 2>/dev/null; sync"
    read = "dd if={0} bs=64k count=16 2>/dev/null | sha256sum"
    sums = {}
    for device in ("/dev/vdb", "/dev/sda"):
        system.sh(GUEST, write.format(device))
        sums[device] = system.sh(GUEST, read.format(device))
    for volume in ("fast", "slow"):
        remove(system, GUEST, volume)
    wait_phases(system, GUEST, NO_VOLUMES)
    wait_blocks(system, GUEST, {})
    add(system, GUEST, "fast", "virtio")
    add(system, GUEST, "slow", "scsi")
    wait_phases(system, GUEST, {"fast": "Ready", "slow": "Ready"})
    wait_blocks(system, GUEST, {"vdb": 65536, "sda": 32768})
    assert sums == {device: system.sh(GUEST, read.format(device)) for device in sums}


def they_grow(system: System) -> None:
    patch_size(system, "fast", "96Mi")
    patch_size(system, "slow", "48Mi")
    wait_blocks(system, GUEST, {"vdb": 98304, "sda": 49152})
    wait_until(lambda: (capacity(system, "fast"), capacity(system, "slow")) == ("96Mi", "48Mi"), 60, "capacities")
    wait_until(lambda: volumes(system, GUEST)["fast"]["size"] == 96 << 20, 60, "the size in the status")
    with pytest.raises(ApiError, match="field can not be less than previous value"):
        patch_size(system, "fast", "64Mi")


def rounds_leave_nothing(system: System) -> None:
    """One disk of each kind and both drives, again and again."""
    added: list[Json] = [disk("fast"), disk("slow", "scsi")]
    everything: list[Json] = [on("fast", "fast"), on("slow", "slow"), on("cd", "disc")]
    ready = {"fast": "Ready", "slow": "Ready", "cd": "Ready"}
    edit(system, GUEST, [], [])
    wait_phases(system, GUEST, NO_VOLUMES)
    within = inside(system, GUEST)
    system.sh(GUEST, "true")  # the daemon that was just started has connected to everything
    before = within, outside(system, GUEST)
    for _ in range(ROUNDS):
        edit(system, GUEST, added, everything)
        wait_phases(system, GUEST, ready)
        edit(system, GUEST, [], [])
        wait_phases(system, GUEST, NO_VOLUMES)
    assert inside(system, GUEST) == before[0]
    system.sh(GUEST, "true")
    wait_until(lambda: outside(system, GUEST) == before[1], 60, lambda: f"{before[1]}\n{outside(system, GUEST)}")


def a_paused_guest_keeps_its_disk(system: System) -> None:
    """Virtio disks go when the guest says so: a paused one does not; when it goes on, it does."""
    add(system, GUEST, "fast", "virtio")
    wait_phases(system, GUEST, {"fast": "Ready"})
    wait_blocks(system, GUEST, {"vdb": 98304})
    system.ok("pause", GUEST)
    remove(system, GUEST, "fast")
    wait_phases(system, GUEST, {"fast": "Detaching"})
    system.kill()
    system.start()
    time.sleep(0.3)
    assert phases(system, GUEST) == {"fast": "Detaching"}, "the next daemon goes on waiting"
    system.ok("unpause", GUEST)
    wait_phases(system, GUEST, NO_VOLUMES)
    wait_blocks(system, GUEST, {})


def ports_run_out(system: System) -> None:
    """Where the machine has no root port left, SCSI still has room; and what waits for its claim gets it by itself."""
    names = ["9" * 60, *(f"more-{number}" for number in range(8))]
    added: list[Json] = [disk(name) for name in names]
    edit(system, GUEST, added, [on(name, name) for name in names])
    missing = {(name, "FailedPvcNotFound") for name in names}
    wait_until(lambda: reasons(system, GUEST) == missing, 60, "volumes wait for their claims")
    assert set(phases(system, GUEST).values()) == {"Pending"}
    system.apply(*(claim(name, "1Mi") for name in names))
    assert "bus scsi" in wait_condition(system, GUEST, "NoFreeSlot")

    def settled() -> bool:
        found = volumes(system, GUEST).values()
        return all(get_str(one, "phase") == "Ready" or get_str(one, "reason") == "NoFreeSlot" for one in found)

    wait_until(settled, 60, lambda: system.about(GUEST))
    plugged = [name for name, phase in phases(system, GUEST).items() if phase == "Ready"]
    refused = [name for name in names if name not in plugged]
    wait_until(lambda: len(blocks(system, GUEST)) == len(plugged), 60, "the guest sees those that fit")
    for name in refused:
        remove(system, GUEST, name)
        assert add(system, GUEST, name, "scsi") == 202
    wait_phases(system, GUEST, dict.fromkeys(names, "Ready"))
    assert plugged and refused
    wait_until(lambda: not system.condition(VMIS, GUEST, "VolumesChange"), 60, lambda: system.about(GUEST))
    edit(system, GUEST, [], [])
    wait_phases(system, GUEST, NO_VOLUMES)


def reboot_and_restart(system: System) -> None:
    """A disk that was added stays where it is."""
    add(system, GUEST, "slow", "scsi")
    add(system, GUEST, "fast", "virtio")
    wait_phases(system, GUEST, {"slow": "Ready", "fast": "Ready"})
    wait_blocks(system, GUEST, {"vdb": 98304, "sda": 49152})
    places = addresses(system)
    system.sh(GUEST, "(sleep 0.2; reboot -f) >/dev/null 2>&1 &")
    wait_until(lambda: not system.condition(VMIS, GUEST, "AgentConnected"), 60, "the guest reboots", 0.02)
    system.wait_agent(GUEST)
    assert addresses(system) == places
    uid = system.uid(GUEST)
    system.ok("restart", GUEST, "--force", "--grace-period=0")
    wait_until(lambda: system.uid(GUEST) not in ("", uid), 60, "another instance")
    system.wait_agent(GUEST)
    assert addresses(system) == places
    wait_phases(system, GUEST, {"slow": "Ready", "fast": "Ready"})


CUTS: dict[str, Callable[[System, str], None]] = {
    "plug": lambda system, name: edit(system, name, [disk("data", "scsi")], [on("data", name)]),
    "resize": lambda system, name: patch_size(system, name, "64Mi"),
    "unplug": lambda system, name: edit(system, name, [], []),
    "insert": lambda system, name: edit(system, name, [], [on("sata", name)]),
    "exchange": lambda system, name: edit(system, name, [], [on("sata", "disc")]),
    "eject": lambda system, name: edit(system, name, [], []),
}
"""What is cut short, one after the other on the same machine."""
AFTER = {
    "plug": {"data": "Ready"},
    "resize": {"data": "Ready"},
    "unplug": NO_VOLUMES,
    "insert": {"sata": "Ready"},
    "exchange": {"sata": "Ready"},
    "eject": NO_VOLUMES,
}


def machine(name: str) -> JsonObject:
    made = small(name, strategy="Manual")
    template = get_object(get_object(get_object(made, "spec"), "template"), "spec")
    get_object(get_object(template, "domain"), "devices")["disks"] = DRIVES
    return made


def test_the_daemon_is_killed_in_the_middle(system: System) -> None:
    chance = random.Random(4)
    system.apply(claim("m", "32Mi"), claim("disc", "16Mi"), machine("m"))
    system.ok("start", "m")
    system.wait_phase("m", "Running")
    pid = system.qemu("m")
    empty = inside(system, "m")
    for what, act in CUTS.items():
        act(system, "m")
        time.sleep(chance.uniform(0, 0.03))
        system.kill()
        system.start()
        wait_phases(system, "m", AFTER[what])
        assert system.qemu("m") == pid
    wait_until(lambda: capacity(system, "m") == "64Mi", 60, "its size")
    assert inside(system, "m") == empty


def test_qemu_is_killed_in_the_middle(system: System) -> None:
    chance = random.Random(5)
    system.apply(claim("m", "32Mi"), claim("disc", "16Mi"), machine("m"))
    for what, act in CUTS.items():
        system.ok("start", "m")
        system.wait_phase("m", "Running")
        pid = system.qemu("m")
        act(system, "m")
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: system.phase("m") in ("Failed", ""), 60, lambda: system.about("m"))
        if what == "resize":
            wait_until(lambda: capacity(system, "m") == "64Mi", 60, "it grows without the machine")
        check = subprocess.run(["qemu-img", "check", "-f", "qcow2", str(image(system, "m"))], capture_output=True)
        assert check.returncode == 0, (what, check)
    system.ok("start", "m")
    system.wait_phase("m", "Running")
    assert phases(system, "m") == NO_VOLUMES


def test_a_claim_that_another_machine_has(system: System) -> None:
    system.apply(claim("m", "16Mi"), claim("n", "16Mi"), machine("m"), machine("n"))
    for name in ("m", "n"):
        system.ok("start", name)
        system.wait_phase(name, "Running")
    edit(system, "n", [disk("data", "scsi")], [on("data", "n")])
    wait_phases(system, "n", {"data": "Ready"})
    edit(system, "m", [disk("data", "scsi")], [on("data", "n")])
    assert "VM n has its disk open" in wait_condition(system, "m", "VolumeInUse")
    edit(system, "n", [], [])
    wait_phases(system, "m", {"data": "Ready"})
    wait_until(lambda: not system.condition(VMIS, "m", "VolumesChange"), 60, lambda: system.about("m"))
