"""examples/hello.yaml through the real controllers: a guest under TCG, its agent, its ends, and daemons that go."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass

import pytest

from solovirt.api import registry
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import Conflict
from solovirt.kit.json import get_str
from tests.real.controllers.conftest import VMIS, VMS, Home

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Command:
    command: tuple[str, ...]
    env: tuple[str, ...] = ()
    input: bytes = b""
    timeout: float = 30.0


async def test_a_manifest_becomes_a_guest_and_goes_again(home: Home) -> None:
    await home.hello()
    await home.until(lambda: home.phase() == "Running")
    await home.agent()
    vmi = home.vmi()
    (nic,) = vmi.status.interfaces
    assert vmi.status.node_name
    assert (nic.name, nic.ip_address) == ("default", "10.0.2.2")
    assert nic.mac.startswith("02:")
    await home.until(lambda: home.vmi().status.guest_os_info is not None)
    operations = home.manager.operations
    result = await operations.guest.guest_exec(
        "default", "hello", Command(("sh", "-c", "cat; echo $WORD >&2; exit 3"), ("WORD=x",), b"in")
    )
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"in", b"x\n")
    info = await operations.guest.guest_os_info("default", "hello")
    assert get_str(info, "hostname") == "hello"
    assert isinstance((await operations.guest.filesystem_list("default", "hello"))["items"], list)
    explanation = await operations.explain("default", "hello")
    assert "spec.template.spec.domain.memory.guest" in str(explanation)
    log = await operations.logs("default", "hello", "serial")
    await home.until(log.exists)
    await _consoles(home)
    await _pausing(home)
    began = time.monotonic()
    await home.objects.delete(VMS, "default", "hello")
    await home.until(lambda: home.objects.find(VMS, "default", "hello") is None)
    assert time.monotonic() - began < 25, "the guest went by itself"
    await _nothing_left(home)


async def _consoles(home: Home) -> None:
    first = await home.manager.operations.open_console("default", "hello")
    second = await home.manager.operations.open_console("default", "hello")
    async with asyncio.timeout(60):
        while await first.read():
            pass
    await second.close()


async def _pausing(home: Home) -> None:
    operations = home.manager.operations
    await operations.machine.pause("default", "hello")
    await home.until(lambda: home.shown() == "Paused")
    with pytest.raises(Conflict, match="VMI is already paused"):
        await operations.machine.pause("default", "hello")
    await operations.machine.unpause("default", "hello")
    await home.until(lambda: home.shown() == "Running")


async def _nothing_left(home: Home) -> None:
    assert home.find_vmi() is None
    assert home.holders() == []
    await home.until(lambda: not list(home.root.rglob("*.sock")))
    assert list((home.paths.state / "instances").iterdir()) == []
    assert list((home.paths.runtime / "vmi").iterdir()) == []
    for kind in ("pins", "launches", "grants", "explain"):
        assert home.objects.records.list(kind) == {}, kind


async def test_a_machine_outlives_its_daemons(home: Home) -> None:
    await home.hello("RerunOnFailure")
    await home.until(lambda: home.phase() == "Running")
    uid, pid = home.vmi().metadata.uid, home.pid()
    await home.restart()
    assert (home.vmi().metadata.uid, home.pid()) == (uid, pid)
    await home.agent()
    # It dies while nobody watches.
    await home.manager.stop()
    os.kill(pid, signal.SIGKILL)
    await home.restart()
    await home.until(lambda: home.vm().status.start_failure is not None)
    await home.until(lambda: home.shown() == "CrashLoopBackOff")
    await home.objects.delete(VMS, "default", "hello")
    await home.until(lambda: home.objects.find(VMS, "default", "hello") is None)
    await _nothing_left(home)


async def test_a_crash_is_told_and_the_machine_comes_back_after_its_back_off(home: Home) -> None:
    await home.hello()
    await home.until(lambda: home.phase() == "Running")
    pins = home.objects.records.list("pins")
    first = home.vmi()
    began = time.monotonic()
    os.kill(home.pid(), signal.SIGKILL)
    await home.until(lambda: home.shown() == "CrashLoopBackOff")
    messages = [event.message for event in home.objects.list(registry.EVENTS).items if event.reason == "Stopped"]
    assert any("SIGKILL" in message for message in messages)
    await home.until(lambda: home.phase() == "Running")
    assert time.monotonic() - began > 8
    assert home.vmi().metadata.uid != first.metadata.uid
    assert home.objects.records.list("pins") == pins, "the same machine to its guest"
    await home.manager.operations.restart("default", "hello", grace_period=0)
    second = home.vmi().metadata.uid
    await home.until(lambda: home.phase() == "Running" and home.vmi().metadata.uid != second)
    await home.manager.operations.stop("default", "hello", grace_period=0)
    await home.until(lambda: home.shown() == "Stopped" and home.find_vmi() is None)
    with pytest.raises(Conflict, match="VM is not running"):
        await home.manager.operations.stop("default", "hello")
    await home.manager.operations.start("default", "hello", paused=True)
    await home.until(lambda: home.shown() == "Paused")
    await home.manager.operations.machine.unpause("default", "hello")
    await home.until(lambda: home.shown() == "Running")
    await home.manager.operations.stop("default", "hello", grace_period=0)
    await home.until(lambda: home.find_vmi() is None)


async def test_a_deadline_and_a_sweep_survive_the_daemon(home: Home) -> None:
    await home.hello("Manual")
    await home.manager.operations.start("default", "hello", paused=True)
    await home.until(lambda: home.shown() == "Paused")
    await home.manager.operations.machine.unpause("default", "hello")
    # A guest in its firmware does not hear the power button.
    uid = home.vmi().metadata.uid
    await home.objects.delete(VMIS, "default", "hello", grace_period=3)
    await home.restart()
    began = time.monotonic()
    await home.until(lambda: home.find_vmi() is None)
    assert time.monotonic() - began < 15
    assert not home.paths.instance(uid).exists()
    # Files of a VMI that nobody knows.
    for left in (home.paths.instance("stranger"), home.paths.sockets("stranger")):
        left.mkdir(parents=True)
    await home.restart()
    assert not home.paths.instance("stranger").exists()
    assert not home.paths.sockets("stranger").exists()


async def test_a_namespace_takes_its_machines_along(home: Home) -> None:
    await home.objects.create(registry.NAMESPACES, registry.NAMESPACES.type(metadata=ObjectMeta(name="lab")))
    vm = await home.hello("Halted")
    vm.metadata = ObjectMeta(name="hello", namespace="lab")
    vm.spec.run_strategy = "Always"
    await home.objects.create(VMS, vm)
    await home.until(lambda: bool(home.holders()))
    await home.objects.delete(registry.NAMESPACES, "", "lab")
    await home.until(lambda: home.objects.find(registry.NAMESPACES, "", "lab") is None)
    assert home.holders() == []
