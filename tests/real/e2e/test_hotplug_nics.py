"""NICs, shared directories and the watchdog of one guest, changed while it runs: what the guest sees, what lasts, what
is left. The tests follow each other; the guest is that of examples/hotplug-nic.yaml.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor.netdevs import parse
from solovirt.kit import yaml
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str
from tests.support.manifests import config_map, tiny_kernel
from tests.support.system import EXAMPLES, VMIS, VMS, System, wait_until
from tests.support.tinyguest import Wire

pytestmark = pytest.mark.real

NAME = "hotplug"
ROUNDS = 50
LAN: JsonObject = {"name": "default", "masquerade": {}}
POD: JsonObject = {"name": "default", "pod": {}}
SETTINGS: JsonObject = {"name": "settings", "configMap": {"name": "hotplug-settings"}}
WORDS: JsonObject = {"name": "words", "configMap": {"name": "words"}}
DOG: JsonObject = {"name": "dog", "i6300esb": {"action": "reset"}}
WATCHDOG = "cat /sys/bus/pci/devices/*/device | grep -c 0x25ab || true"
ADDRESS = "basename $(readlink -f /sys/class/net/eth0/device/..); cat /sys/class/net/eth0/address"


@pytest.fixture(scope="module")
def guest(shared: System) -> Iterator[System]:
    documents = yaml.load_all((EXAMPLES / "hotplug-nic.yaml").read_text())
    settings, machine = (document.value for document in documents)
    assert isinstance(settings, dict) and isinstance(machine, dict)
    spec = get_object(get_object(get_object(machine, "spec"), "template"), "spec")
    # Without its disk it boots in half of the time.
    get_object(spec, "domain")["firmware"] = tiny_kernel()
    get_object(get_object(spec, "domain"), "devices")["disks"] = []
    spec["volumes"] = [SETTINGS]
    shared.apply(settings, machine, config_map("words", {"word": "swordfish"}))
    shared.wait_agent(NAME)
    yield shared
    shared.check_clean()


def edit(system: System, *, nic: str | None = "", words: bool = False, dog: bool = True) -> None:
    """The whole of what may change: the NIC's state (None: no NIC), a second directory, the watchdog."""
    shared: list[Json] = [{"name": name, "virtiofs": {}} for name in ("settings", *(["words"] if words else []))]
    volumes: list[Json] = [
        SETTINGS,
        *([WORDS] if words else []),
    ]
    devices: JsonObject = {"filesystems": shared, "watchdog": DOG if dog else None}
    devices["interfaces"] = [] if nic is None else [{**LAN, "state": nic}]
    spec: JsonObject = {"domain": {"devices": devices}, "volumes": volumes, "networks": [] if nic is None else [POD]}
    body: JsonObject = {"spec": {"template": {"spec": spec}}}
    system.client.call("PATCH", f"{VMS}/{NAME}", None, body, content_type="application/merge-patch+json")


def status(system: System) -> JsonObject:
    return get_object(system.find(VMIS, NAME) or {}, "status")


def nics(system: System) -> list[str]:
    found = [one for one in get_list(status(system), "interfaces") if isinstance(one, dict)]
    return [f"{get_str(one, 'name')} {get_str(one, 'linkState')}" for one in found if one.get("name")]


def changing(system: System) -> list[JsonObject]:
    """NetworkChange and DevicesChange, as far as they are told."""
    found = [system.condition(VMIS, NAME, kind) for kind in ("NetworkChange", "DevicesChange")]
    return [one for one in found if one]


def wait_at_rest(system: System, *links: str, words: bool = False, timeout: float = 90) -> None:
    helper = system.state / "instances" / system.uid(NAME) / "virtiofsd-words.lock"

    def reached() -> bool:
        return nics(system) == list(links) and helper.exists() == words and not changing(system)

    wait_until(reached, timeout, lambda: f"{links}, {words}: {system.about(NAME)}", 0.01)


def until(system: System, script: str, wanted: str, timeout: float = 60) -> None:
    wait_until(lambda: system.sh(NAME, script) == wanted, timeout, lambda: f"{script}: {system.about(NAME)}", 0.1)


def test_an_interface_comes_and_gets_an_address(guest: System) -> None:
    assert guest.sh(NAME, "ls /sys/class/net") == "lo"
    assert guest.ok("nic", "add", NAME) == f"{NAME}: default is plugged in\n"
    until(guest, "ip -4 -o addr show dev eth0 | awk '{print $4}'", "10.0.2.2/24")
    assert guest.sh(NAME, "cat /sys/class/net/eth0/carrier") == "1"

    def listed() -> list[str]:
        row = guest.ok("nic", "ls", NAME).splitlines()[1].split()
        return row if "eth0" in row and any(word.startswith("10.0.2.2") for word in row) else []

    row = wait_until(listed, 90, "the agent is asked when there is news")
    mac = guest.sh(NAME, "cat /sys/class/net/eth0/address")
    assert row[:5] == ["default", "pod", "virtio", "up", mac]
    assert row[5].startswith("10.0.2.2") and row[6] == "eth0"
    assert guest.condition(VMS, NAME, "RestartRequired") == {}
    again = guest.cli("nic", "add", NAME, "more")
    assert again.code == 1 and "there can be only one" in again.err


def test_the_guest_sees_its_cable(guest: System) -> None:
    for verb, carrier in (("down", "0"), ("up", "1")):
        guest.ok("nic", verb, NAME, "default")
        until(guest, "cat /sys/class/net/eth0/carrier", carrier)
        wait_until(lambda v=verb: nics(guest) == [f"default {v}"], 60, lambda: guest.about(NAME))  # type: ignore[misc]


def test_it_outlives_daemon_reboot_and_restart_where_it_is(guest: System) -> None:
    before = guest.sh(NAME, ADDRESS)
    guest.kill()
    guest.start()
    guest.wait_agent(NAME, 60)
    wait_at_rest(guest, "default up")
    boot = guest.sh(NAME, "cat /proc/sys/kernel/random/boot_id")
    guest.guest(NAME, "/bin/sh", "-c", "(sleep 0.3; reboot -f) > /dev/null 2>&1 &")
    wait_until(lambda: guest.condition(VMIS, NAME, "AgentConnected") == {}, 60, lambda: guest.about(NAME))
    guest.wait_agent(NAME)
    assert guest.sh(NAME, "cat /proc/sys/kernel/random/boot_id") != boot
    assert guest.sh(NAME, ADDRESS) == before
    guest.ok("nic", "down", NAME, "default")
    uid = guest.uid(NAME)
    guest.ok("restart", NAME, "--wait")
    guest.wait_agent(NAME)
    assert guest.uid(NAME) != uid
    assert guest.sh(NAME, ADDRESS) == before
    assert guest.sh(NAME, "ip link set eth0 up; cat /sys/class/net/eth0/carrier") == "0", "it starts unplugged"
    guest.ok("nic", "up", NAME, "default")


def test_a_directory_comes_is_read_and_goes(guest: System) -> None:
    edit(guest, words=True)
    wait_at_rest(guest, "default up", words=True)
    mount = "mkdir -p /m && mount -t virtiofs words /m && cat /m/word && umount /m"
    # The machine has it; the guest's driver may still be at it.
    wait_until(lambda: guest.guest(NAME, "/bin/sh", "-c", mount).out.strip() == "swordfish", 60, "a word", 0.2)
    assert guest.sh(NAME, mount.replace("words", "settings").replace("word", "colour")) == "green"
    assert len(sharing(guest)) == 2
    edit(guest, words=False)
    wait_at_rest(guest, "default up")
    wait_until(lambda: len(sharing(guest)) == 1, 60, lambda: str(sharing(guest)))
    shown = guest.state / "instances" / guest.uid(NAME) / "shared" / "words"
    wait_until(lambda: not shown.exists(), 60, "the directory is not shown any more")
    assert guest.guest(NAME, "/bin/sh", "-c", "mount -t virtiofs words /m").code != 0


def test_the_watchdog_goes_and_comes(guest: System) -> None:
    assert guest.sh(NAME, WATCHDOG) == "1"
    edit(guest, dog=False)
    until(guest, WATCHDOG, "0")
    edit(guest)
    until(guest, WATCHDOG, "1")
    wait_until(lambda: not changing(guest), 60, lambda: guest.about(NAME))


def sharing(system: System) -> set[int]:
    """Sessions of programs that share directories: each has children of its own."""
    found = set()
    for pid, words in system.processes().items():
        if "virtiofsd" in words[0]:
            with contextlib.suppress(ProcessLookupError):
                found.add(os.getsid(pid))
    return found


def state_of(system: System) -> tuple[dict[str, list[str]], Counter[str], Counter[str]]:
    """QEMU's objects (asked while no daemon holds the monitor), its descriptors by kind, its threads."""
    pid, uid = system.qemu(NAME), system.uid(NAME)
    system.kill()
    wire = Wire(system.runtime / "vmi" / uid / "qmp.sock")
    try:
        wire.receive(60)
        wire.call("qmp_capabilities")
        objects: dict[str, list[str]] = {}
        for path in ("/machine/peripheral", "/machine/peripheral-anon", "/objects", "/machine/unattached"):
            children = wire.call("qom-list", path=path)
            assert isinstance(children, list)
            objects[path] = sorted(str(child["name"]) for child in children if isinstance(child, dict))
        chardevs = wire.call("query-chardev")
        assert isinstance(chardevs, list)
        objects["chardevs"] = sorted(str(one["label"]) for one in chardevs if isinstance(one, dict))
        network = wire.call("human-monitor-command", command_line="info network")
        objects["netdevs"] = sorted(parse(str(network)))
    finally:
        wire.close()
    wait_until(lambda: not connections(uid), 60, lambda: f"QEMU hangs up, too: {connections(uid)}")
    kinds: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        kinds[os.readlink(entry).partition(":[")[0]] += 1
    threads = Counter((task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir())
    del threads["worker"]  # those of its pool come and go as they like
    system.start()
    return objects, kinds, threads


def connections(uid: str) -> list[str]:
    """QEMU's ends of connections to a machine's monitor and agent channel (proc(5): state 03)."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    ends = (f"/vmi/{uid}/qmp.sock", f"/vmi/{uid}/agent.sock")
    return [row[7] for row in rows if len(row) == 8 and row[5] == "03" and row[7].endswith(ends)]


def test_fifty_rounds_leave_nothing(guest: System) -> None:
    """Of the NIC, the directory and the watchdog at once."""
    for nic in ("up", "absent"):
        edit(guest, nic=nic, words=nic == "up", dog=nic == "up")
        wait_at_rest(guest, *(["default up"] if nic == "up" else []), words=nic == "up")
    before = state_of(guest)
    wait_at_rest(guest)
    for _ in range(ROUNDS):
        edit(guest, nic="up", words=True)
        wait_at_rest(guest, "default up", words=True)
        edit(guest, nic="absent", dog=False)
        wait_at_rest(guest)
    after = state_of(guest)
    assert after == before
    assert guest.sh(NAME, "ls /sys/class/net") == "lo"
    wait_until(lambda: len(sharing(guest)) == 1, 60, lambda: str(sharing(guest)))


def test_a_guest_that_does_not_react_is_waited_for(guest: System) -> None:
    """Paused: told, still there; a daemon later, and unpaused, it goes by itself."""
    edit(guest, nic="up", words=True)
    wait_at_rest(guest, "default up", words=True)
    guest.ok("pause", NAME)
    edit(guest, nic="absent")
    wait_until(lambda: len(changing(guest)) == 2, 60, lambda: guest.about(NAME))
    for told in changing(guest):
        assert (told["status"], told["reason"]) == ("True", "InProgress")
    assert nics(guest) == ["default up"]
    guest.kill()
    guest.start()
    wait_until(lambda: len(changing(guest)) == 2, 60, lambda: guest.about(NAME))
    guest.ok("unpause", NAME)
    wait_at_rest(guest)


def test_what_goes_while_nobody_is_there(guest: System) -> None:
    edit(guest, nic="up", words=True)
    wait_at_rest(guest, "default up", words=True)
    guest.ok("pause", NAME)
    edit(guest, nic="absent")
    wait_until(lambda: len(changing(guest)) == 2, 60, lambda: guest.about(NAME))
    uid = guest.uid(NAME)
    guest.kill()
    wire = Wire(guest.runtime / "vmi" / uid / "qmp.sock")
    wire.receive(60)
    wire.call("qmp_capabilities")
    wire.send("cont")
    gone: set[str] = set()
    while gone != {"ua-default", "fs-words"}:
        event = wire.receive(60)
        assert event is not None, gone
        if event.get("event") == "DEVICE_DELETED":
            gone.add(get_str(get_object(event, "data"), "device"))  # type: ignore[arg-type]
            gone.discard("")
    wire.close()
    guest.start()
    wait_at_rest(guest)
    assert state_of(guest)[0]["netdevs"] == []
    wait_until(lambda: len(sharing(guest)) == 1, 60, lambda: str(sharing(guest)))


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.03, 0.06])
def test_the_daemon_dies_in_the_middle(guest: System, pause: float) -> None:
    for wanted, nic in ((True, "up"), (False, "absent")):
        edit(guest, nic=nic, words=wanted, dog=wanted)
        time.sleep(pause)
        guest.kill()
        guest.start()
        wait_at_rest(guest, *(["default up"] if wanted else []), words=wanted)
    until(guest, "ls /sys/class/net", "lo")
    wait_until(lambda: len(sharing(guest)) == 1, 60, lambda: str(sharing(guest)))


def test_two_at_once(guest: System) -> None:
    edit(guest, nic=None)
    wait_at_rest(guest)
    codes: dict[str, int] = {}

    def add(name: str) -> None:
        codes[name] = guest.cli("nic", "add", NAME, name).code

    threads = [threading.Thread(target=add, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes.values()) == [0, 1], codes
    winner = min(codes, key=codes.__getitem__)
    wait_at_rest(guest, f"{winner} up")
    guest.ok("nic", "rm", NAME, winner)
    wait_at_rest(guest)
    assert "interfaces" not in get_object(
        get_object(get_object(guest.find(VMIS, NAME) or {}, "spec"), "domain"), "devices"
    )


def test_qemu_dies_in_the_middle(guest: System) -> None:
    """Nothing of it stays, not even the program that was just being started. The VM is started anew."""
    uid, pid = guest.uid(NAME), guest.qemu(NAME)
    edit(guest, nic="up")
    wait_at_rest(guest, "default up")
    edit(guest, nic="absent", words=True)
    time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: guest.uid(NAME) != uid, 60, lambda: guest.about(NAME))
    wait_until(lambda: not processes_of(guest, uid), 60, lambda: str(processes_of(guest, uid)))
    wait_until(lambda: not (guest.state / "instances" / uid).exists(), 60, lambda: guest.about(NAME))


def processes_of(system: System, uid: str) -> list[list[str]]:
    return [words for words in system.processes().values() if uid in " ".join(words)]
