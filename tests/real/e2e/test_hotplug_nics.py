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


def wait_at_rest(system: System, *links: str, words: bool = False, timeout: float = 30) -> None:
    helper = system.state / "instances" / system.uid(NAME) / "virtiofsd-words.lock"

    def reached() -> bool:
        return nics(system) == list(links) and helper.exists() == words and not changing(system)

    wait_until(reached, timeout, lambda: f"{links}, {words}: {system.about(NAME)}", 0.01)


def until(system: System, script: str, wanted: str, timeout: float = 20) -> None:
    wait_until(lambda: system.sh(NAME, script) == wanted, timeout, lambda: f"{script}: {system.about(NAME)}", 0.1)


def test_an_interface_comes_and_gets_an_address(guest: System) -> None:
    assert guest.sh(NAME, "ls /sys/class/net") == "lo"
    assert guest.ok("nic", "add", NAME) == f"{NAME}: default is plugged in\n"
    until(guest, "ip -4 -o addr show dev eth0 | awk '{print $4}'", "10.0.2.2/24")
    assert guest.sh(NAME, "cat /sys/class/net/eth0/carrier") == "1"
    wait_until(lambda: "eth0" in guest.ok("nic", "ls", NAME), 10, "the agent is asked when there is news")
    row = guest.ok("nic", "ls", NAME).splitlines()[1].split()
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
        assert nics(guest) == [f"default {verb}"]


def test_it_outlives_daemon_reboot_and_restart_where_it_is(guest: System) -> None:
    before = guest.sh(NAME, ADDRESS)
    guest.kill()
    guest.start()
    guest.wait_agent(NAME, 10)
    wait_at_rest(guest, "default up")
    boot = guest.sh(NAME, "cat /proc/sys/kernel/random/boot_id")
    guest.guest(NAME, "/bin/sh", "-c", "(sleep 0.3; reboot -f) > /dev/null 2>&1 &")
    wait_until(lambda: guest.condition(VMIS, NAME, "AgentConnected") == {}, 30, lambda: guest.about(NAME))
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
    assert guest.sh(NAME, mount) == "swordfish"
    assert guest.sh(NAME, mount.replace("words", "settings").replace("word", "colour")) == "green"
    assert len(sharing(guest)) == 2
    edit(guest, words=False)
    wait_at_rest(guest, "default up")
    wait_until(lambda: len(sharing(guest)) == 1, 5, lambda: str(sharing(guest)))
    assert not (guest.state / "instances" / guest.uid(NAME) / "shared" / "words").exists()
    assert guest.guest(NAME, "/bin/sh", "-c", "mount -t virtiofs words /m").code != 0


def test_the_watchdog_goes_and_comes(guest: System) -> None:
    assert guest.sh(NAME, WATCHDOG) == "1"
    edit(guest, dog=False)
    until(guest, WATCHDOG, "0")
    edit(guest)
    until(guest, WATCHDOG, "1")
    assert changing(guest) == []


def sharing(system: System) -> set[int]:
    """Sessions of programs that share directories: each has children of its own."""
    found = set()
    for pid, words in system.processes().items():
        if "virtiofsd" in words[0]:
            with contextlib.suppress(ProcessLookupError):
                found.add(os.getsid(pid))
    return found


def state_of(system: System) -> tuple[dict[str, list[str]], Counter[str], int]:
    """QEMU's objects (asked while no daemon holds the monitor), its descriptors by kind, its threads."""
    pid, uid = system.qemu(NAME), system.uid(NAME)
    system.kill()
    wire = Wire(system.runtime / "vmi" / uid / "qmp.sock")
    try:
        wire.receive(10)
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
    time.sleep(0.5)  # QEMU hangs up on us, and on the daemon that was killed.
    kinds: Counter[str] = Counter()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        kinds[os.readlink(entry).partition(":[")[0]] += 1
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    system.start()
    return objects, kinds, threads


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
    assert after[:2] == before[:2]
    assert after[2] <= before[2] + 1, "a thread more may wait for work"
    assert guest.sh(NAME, "ls /sys/class/net") == "lo"
    assert len(sharing(guest)) == 1


def test_a_guest_that_does_not_react_is_waited_for(guest: System) -> None:
    """Paused: told, still there; a daemon later, and unpaused, it goes by itself."""
    edit(guest, nic="up", words=True)
    wait_at_rest(guest, "default up", words=True)
    guest.ok("pause", NAME)
    edit(guest, nic="absent")
    wait_until(lambda: len(changing(guest)) == 2, 5, lambda: guest.about(NAME))
    for told in changing(guest):
        assert (told["status"], told["reason"]) == ("True", "InProgress")
    assert nics(guest) == ["default up"]
    guest.kill()
    guest.start()
    wait_until(lambda: len(changing(guest)) == 2, 5, lambda: guest.about(NAME))
    guest.ok("unpause", NAME)
    wait_at_rest(guest)


def test_what_goes_while_nobody_is_there(guest: System) -> None:
    edit(guest, nic="up", words=True)
    wait_at_rest(guest, "default up", words=True)
    guest.ok("pause", NAME)
    edit(guest, nic="absent")
    wait_until(lambda: len(changing(guest)) == 2, 5, lambda: guest.about(NAME))
    uid = guest.uid(NAME)
    guest.kill()
    wire = Wire(guest.runtime / "vmi" / uid / "qmp.sock")
    wire.receive(10)
    wire.call("qmp_capabilities")
    wire.send("cont")
    gone: set[str] = set()
    while gone != {"ua-default", "fs-words"}:
        event = wire.receive(20)
        assert event is not None, gone
        if event.get("event") == "DEVICE_DELETED":
            gone.add(get_str(get_object(event, "data"), "device"))  # type: ignore[arg-type]
            gone.discard("")
    wire.close()
    guest.start()
    wait_at_rest(guest)
    assert state_of(guest)[0]["netdevs"] == []
    wait_until(lambda: len(sharing(guest)) == 1, 5, lambda: str(sharing(guest)))


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.03, 0.06])
def test_the_daemon_dies_in_the_middle(guest: System, pause: float) -> None:
    for wanted, nic in ((True, "up"), (False, "absent")):
        edit(guest, nic=nic, words=wanted, dog=wanted)
        time.sleep(pause)
        guest.kill()
        guest.start()
        wait_at_rest(guest, *(["default up"] if wanted else []), words=wanted)
    until(guest, "ls /sys/class/net", "lo")
    assert len(sharing(guest)) == 1


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
    wait_until(lambda: guest.uid(NAME) != uid, 10, lambda: guest.about(NAME))
    wait_until(lambda: not processes_of(guest, uid), 10, lambda: str(processes_of(guest, uid)))
    wait_until(lambda: not (guest.state / "instances" / uid).exists(), 10, lambda: guest.about(NAME))


def processes_of(system: System, uid: str) -> list[list[str]]:
    return [words for words in system.processes().values() if uid in " ".join(words)]
