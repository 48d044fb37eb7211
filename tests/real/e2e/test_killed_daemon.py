"""The daemon is killed (-9) at random moments, again and again: no VM notices, nothing accepted is lost or left over.

``SOLOVIRT_TEST_KILLS`` is how often, ``SOLOVIRT_TEST_SEED`` repeats a run's choices (not its timing).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import JsonObject, get_object, get_str
from tests.support import system as systems
from tests.support import terminal, web
from tests.support.chaos import ALWAYS, GONE, HALTED, Busy, Ledger, pull_and_remove
from tests.support.manifests import data_volume, small, tiny_kernel, vm
from tests.support.system import DATA_VOLUMES, IMAGES, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("SOLOVIRT_TEST_KILLS", "25"))
SEED = int(os.environ.get("SOLOVIRT_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
STEADY = [f"steady-{number}" for number in range(6)]
CHURNED = [f"churned-{number}" for number in range(14)]
IMPORT_SIZE = 4 << 20


@pytest.fixture
def system() -> Iterator[System]:
    with systems.running() as started:
        yield started
        started.check_clean()


@pytest.fixture
def with_tiny(tiny: TinyImage) -> Iterator[System]:
    with systems.running(tiny=tiny) as started:
        yield started
        started.check_clean()


def kill_during_start(system: System, chance: random.Random) -> int:
    """Now and then the next daemon dies too, before it serves. Returns how many did."""
    killed = 0
    while chance.random() < 0.25:
        system.spawn()
        time.sleep(chance.uniform(0, 0.8))
        system.kill()
        killed += 1
    return killed


def one_round(system: System, ledger: Ledger, reference: str, chance: random.Random) -> int:
    """Work, kill, start again, look. Returns the number of kills."""
    ledger.touched.clear()
    before = ledger.running()
    busy = Busy(ledger.act, lambda: pull_and_remove(system, reference))
    time.sleep(chance.uniform(0, 0.9))
    system.kill()
    busy.end()
    helpers = ("skopeo", "qemu-img", "setfacl")
    wait_until(lambda: not helpers_of(system, helpers), 10, "helpers die with their daemon")
    kills = 1 + kill_during_start(system, chance)
    unharmed = {name: at for name, at in before.items() if name not in ledger.touched}
    qemus = system.qemus()
    lost = {name: at for name, at in unharmed.items() if qemus.get(at[0]) != at[1]}
    assert not lost, f"machines that nobody stopped are not what they were: {lost}"
    system.start()
    ledger.settle()
    qemus = system.qemus()
    lost = {name: at for name, at in unharmed.items() if qemus.get(at[0]) != at[1]}
    assert not lost, f"the next daemon touched machines that nobody stopped: {lost}\n{system.daemon_log()[-5000:]}"
    return kills


def helpers_of(system: System, names: tuple[str, ...]) -> list[str]:
    return [" ".join(words) for words in system.processes().values() if os.path.basename(words[0]) in names]


def check_converged(system: System, ledger: Ledger) -> None:
    """Every VM is what was asked for, with one QEMU each, and no process beside these."""

    def differences() -> list[str]:
        found = {get_str(get_object(vm, "metadata"), "name"): vm for vm in system.items(VMS)}
        vmis = {get_str(get_object(v, "metadata"), "name"): get_object(v, "status") for v in system.items(VMIS)}
        wrong = []
        for name, wanted in ledger.wanted.items():
            is_there, phase = name in found, get_str(vmis.get(name, {}), "phase")
            right = {
                GONE: not is_there and not phase,
                HALTED: is_there and not phase,
                ALWAYS: is_there and phase == "Running",
            }
            if not right[wanted]:
                wrong.append(f"{name}: wanted {wanted}, VM {'there' if is_there else 'gone'}, VMI {phase or 'none'}")
        return wrong

    wait_until(lambda: not differences(), 150, lambda: f"{differences()}\n{system.daemon_log()[-6000:]}", 0.2)
    uids = {get_str(get_object(vmi, "metadata"), "uid") for vmi in system.items(VMIS)}
    assert set(system.qemus()) == uids
    wait_until(lambda: set(system.processes()) == set(system.qemus().values()), 60, lambda: str(system.processes()))
    for place in (system.state / "instances", system.runtime / "vmi"):
        wait_until(lambda p=place: {e.name for e in p.iterdir()} == uids, 60, lambda p=place: str(list(p.iterdir())))  # type: ignore[misc]


def check_import(system: System, content: bytes, folder: Path) -> None:
    wait_until(
        lambda: get_str(get_object(system.find(DATA_VOLUMES, "slow") or {}, "status"), "phase") == "Succeeded",
        90,
        lambda: system.about("slow"),
    )
    disk = next((system.state / "volumes" / "default" / "slow").glob("disk.*"))
    raw = folder / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True, timeout=30)
    assert raw.read_bytes()[: len(content)] == content


def test_killed_again_and_again(system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)
    content = chance.randbytes(IMPORT_SIZE)
    (tmp_path / "registry").mkdir()
    ledger = Ledger(system, chance, STEADY, CHURNED)
    for name in [*STEADY, *CHURNED[:10]]:
        ledger.demand(name, ALWAYS)
    for name in STEADY:
        system.wait_phase(name, "Running")
    first = {name: ledger.running()[name] for name in STEADY}
    kills, began = 0, time.monotonic()
    with web.registry(tmp_path / "registry") as registry, web.files({"/slow.img": content}) as server:
        server.rate = 1 << 20
        reference = registry.push("guests/large", {"/disk/disk.img": chance.randbytes(24 << 20)})
        source: JsonObject = {"http": {"url": server.url("/slow.img")}}
        system.create(DATA_VOLUMES, data_volume("slow", source, "8Mi"))
        while kills < KILLS:
            kills += one_round(system, ledger, reference, chance)
        server.rate = 0
        check_converged(system, ledger)
        check_import(system, content, tmp_path)
        pull_and_remove(system, reference)
        assert system.client.get(IMAGES).get("items") == []
    now = ledger.running()
    assert {name: now[name] for name in STEADY} == first, "the steady ones run in the processes of the beginning"
    with capsys.disabled():
        took, imports = time.monotonic() - began, len(server.requests)
        print(f"\n{kills} kills, seed {SEED}, {took:.0f} s, accepted: {ledger.done}, imports begun: {imports}")


def test_a_guest_does_not_notice(with_tiny: System) -> None:
    """A real guest: its agent, console and logs are there for the next daemon; its own end meanwhile is learnt."""
    system = with_tiny
    firmware: JsonObject = {"firmware": tiny_kernel()}
    system.apply(vm("guest", strategy="RerunOnFailure", domain=firmware))
    system.wait_agent("guest")
    boot, pid = system.sh("guest", "cat /proc/sys/kernel/random/boot_id"), system.qemu("guest")
    with terminal.running([*system.command, "console", "guest"], system.environ) as screen:
        before = screen.modes()
        screen.expect(b"Successfully connected")
        screen.send(b"\n")
        screen.expect(b"root@tiny:")
        system.kill()
        screen.process.wait(60)
        assert screen.modes() == before, "a console whose daemon dies leaves the terminal as it was"
    system.start()
    system.wait_agent("guest", 60)
    assert system.sh("guest", "cat /proc/sys/kernel/random/boot_id") == boot
    assert system.qemu("guest") == pid
    system.sh("guest", "(sleep 1; poweroff) > /dev/null 2>&1 &")
    system.kill()
    time.sleep(3)
    assert pid in system.processes(), "QEMU waits to be asked"
    system.start()
    wait_until(lambda: system.phase("guest") in ("Succeeded", ""), 60, lambda: system.about("guest"))
    wait_until(lambda: not system.qemus(), 60, lambda: system.about("guest"))
    time.sleep(0.5)
    assert system.qemus() == {}, "an orderly end is not started again"


def test_machines_that_die_while_nobody_looks(system: System) -> None:
    for name in ("dies", "stays", "goes"):
        system.apply(small(name))
    for name in ("dies", "stays", "goes"):
        system.wait_printable(name, "Paused")
    uid, stays = system.uid("dies"), system.qemu("stays")
    dies, goes = system.qemu("dies"), system.qemu("goes")
    system.kill()
    for pid in (dies, goes):
        os.kill(pid, signal.SIGKILL)
    system.start()
    system.delete(VMS, "goes")
    wait_until(lambda: system.uid("dies") not in ("", uid), 60, lambda: f"started again: {system.about('dies')}")
    system.wait_printable("dies", "Paused")
    assert system.qemu("stays") == stays
    assert "signal 9" in (events := system.ok("get", "events")) or "SIGKILL" in events or "while" in events, events
