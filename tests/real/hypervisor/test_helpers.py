"""swtpm and other programs beside a real QEMU: their life is QEMU's, whoever dies in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from solovirt.hypervisor import helpers, lock
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import Helper, Launch, RunState
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.errors import HostError
from tests.real.hypervisor.machines import Events, machine

pytestmark = pytest.mark.real


def with_tpm(root: Path, *, program: tuple[str, ...] = ("/usr/bin/swtpm", "socket")) -> Launch:
    state, socket = root / "tpm", str(root / "run/vm/tpm.sock")
    state.mkdir(exist_ok=True)
    swtpm = Helper(
        name="swtpm",
        argv=(*program, "--tpm2", "--terminate", "--tpmstate", f"dir={state}", "--ctrl", "type=unixio,fd=@fd@"),
        socket=socket,
    )
    extra = (
        *("-chardev", f"socket,id=chrtpm,path={socket}", "-tpmdev", "emulator,id=tpm0,chardev=chrtpm"),
        *("-device", "tpm-tis,tpmdev=tpm0"),
    )
    return replace(machine(root, extra=extra), helpers=(swtpm,))


def idle(root: Path, name: str = "idle") -> Helper:
    """One that ends for nobody, and that QEMU does not know."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    return Helper(name=name, argv=(sys.executable, "-c", code), socket=str(root / f"run/vm/{name}.sock"))


def holders(launch: Launch, name: str = "swtpm") -> list[int]:
    return lock.holders(launch.directory / f"{name}.lock")


async def until_gone(launch: Launch, name: str = "swtpm") -> None:
    async with asyncio.timeout(60):
        while holders(launch, name):
            await asyncio.sleep(0.05)


async def test_it_serves_qemu_and_ends_with_it(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = with_tpm(root)
    instance = await hypervisor.launch(launch)
    assert await instance.status() is RunState.RUNNING
    assert len(holders(launch)) == 1
    assert not list(root.rglob("tpm.sock")), "nobody else can connect"
    await instance.quit()
    await events.wait_for("exited")
    await until_gone(launch)
    async with asyncio.timeout(60):
        while helpers.names(launch.directory):
            await asyncio.sleep(0.05)
    assert "helper-exited" not in events.kinds()


async def test_one_that_does_not_end_by_itself_is_killed(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = replace(machine(root), helpers=(idle(root),))
    instance = await hypervisor.launch(launch)
    assert holders(launch, "idle")
    await instance.kill()
    await events.wait_for("exited")
    await until_gone(launch, "idle")


async def test_one_that_comes_later_and_goes_before_qemu(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = machine(root)
    await hypervisor.launch(launch)
    beside = hypervisor.beside(launch.uid)
    beside.add(idle(root), None)
    assert beside.names() == {"idle"}
    assert len(holders(launch, "idle")) == 1
    beside.hide()
    assert not list(root.rglob("idle.sock"))

    await hypervisor.close()
    later = Hypervisor(events)
    adopted = await later.adopt(launch.identity)
    assert adopted is not None
    beside = later.beside(launch.uid)
    assert beside.names() == {"idle"}, "the next daemon knows it"
    await beside.remove("idle")
    await beside.remove("idle")
    assert (beside.names(), helpers.names(launch.directory)) == (set(), [])
    await until_gone(launch, "idle")
    await asyncio.sleep(helpers.SETTLE + 0.1)
    assert "helper-exited" not in events.kinds()
    await adopted.kill()
    await events.wait_for("exited")


def faithless(root: Path) -> Helper:
    """As a virtiofsd that a guest took over: its child lets go of the lock and ignores all that it can."""
    code = (
        "import os, signal, time\n"
        "if os.fork() == 0:\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    os.setsid()\n"
        "    os.closerange(3, 64)\n"
        f"    open({str(root / 'child')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    return Helper(name="idle", argv=(sys.executable, "-c", code), socket=str(root / "run/vm/idle.sock"))


async def child_of(root: Path) -> int:
    async with asyncio.timeout(60):
        while not (root / "child").exists() or not (root / "child").read_text():
            await asyncio.sleep(0.02)
    return int((root / "child").read_text())


async def until_dead(pid: int) -> None:
    async with asyncio.timeout(60):
        while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_child_that_dropped_the_lock_is_killed_too(
    root: Path, hypervisor: Hypervisor, events: Events, restarted: bool
) -> None:
    launch = replace(machine(root), helpers=(faithless(root),))
    instance = await hypervisor.launch(launch)
    child = await child_of(root)
    if not restarted:
        await instance.kill()
        await events.wait_for("exited")
    else:
        await hypervisor.close()
        os.kill(instance.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while lock.is_held(launch.directory):
                await asyncio.sleep(0.02)
        second = Hypervisor(Events())
        assert await second.adopt(launch.identity) is None
        await second.close()
    await until_dead(child)
    await until_gone(launch, "idle")


async def test_its_death_is_told_once_with_its_last_words(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = with_tpm(root)
    instance = await hypervisor.launch(launch)
    (launch.directory / "swtpm.log").write_text("something is wrong\n")
    os.kill(holders(launch)[0], signal.SIGKILL)
    event = await events.wait_for("helper-exited")
    assert event.detail == "swtpm was killed by SIGKILL: something is wrong"
    assert await instance.status() is RunState.RUNNING
    await hypervisor.close()
    later = Events()
    second = Hypervisor(later)
    adopted = await second.adopt(launch.identity)
    assert adopted is not None and "helper-exited" not in later.kinds()
    await adopted.kill()
    await second.close()


async def test_it_is_found_again_and_watched(root: Path, hypervisor: Hypervisor) -> None:
    launch = with_tpm(root)
    await hypervisor.launch(launch)
    await hypervisor.close()
    events = Events()
    second = Hypervisor(events)
    instance = await second.adopt(launch.identity)
    assert instance is not None
    os.kill(holders(launch)[0], signal.SIGKILL)
    event = await events.wait_for("helper-exited")
    assert event.detail.startswith("swtpm ")
    await instance.kill()
    await second.close()


async def test_who_sees_the_instance_sees_its_helpers(
    root: Path, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is found again, too: else what takes them for gone would start them a second time."""
    launch = replace(machine(root), helpers=(idle(root),))
    await hypervisor.launch(launch)
    await hypervisor.close()
    second = Hypervisor(Events())
    seen: list[set[str]] = []
    begin = Instance.begin

    async def looking(instance: Instance) -> None:
        seen.append(second.beside(instance.uid).names())
        await begin(instance)

    monkeypatch.setattr(Instance, "begin", looking)
    instance = await second.adopt(launch.identity)
    assert instance is not None and seen == [{"idle"}]
    await instance.kill()
    await second.close()


async def test_one_that_is_not_known_is_removed_all_the_same(root: Path, hypervisor: Hypervisor) -> None:
    launch = replace(machine(root), helpers=(idle(root),))
    instance = await hypervisor.launch(launch)
    unknown = helpers.HelperSet(launch.directory, lambda text: None, lambda: True)
    assert unknown.names() == set() and holders(launch, "idle")
    await unknown.remove("idle")
    assert not holders(launch, "idle") and helpers.names(launch.directory) == []
    await unknown.release()
    await instance.kill()


async def test_its_death_while_nobody_is_there_is_told_later(root: Path, hypervisor: Hypervisor) -> None:
    launch = with_tpm(root)
    await hypervisor.launch(launch)
    await hypervisor.close()
    os.kill(holders(launch)[0], signal.SIGKILL)
    await until_gone(launch)
    events = Events()
    second = Hypervisor(events)
    instance = await second.adopt(launch.identity)
    assert instance is not None
    assert (await events.wait_for("helper-exited")).detail.startswith("swtpm ended while no daemon was there")
    await instance.kill()
    await second.close()


async def test_what_is_left_of_a_qemu_that_is_gone(root: Path, hypervisor: Hypervisor) -> None:
    """Nobody was there when QEMU died, and its helper goes on."""
    launch = replace(machine(root), helpers=(idle(root),))
    instance = await hypervisor.launch(launch)
    await hypervisor.close()
    os.kill(instance.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while lock.is_held(launch.directory):
            await asyncio.sleep(0.02)
    assert holders(launch, "idle")
    second = Hypervisor(Events())
    assert await second.adopt(launch.identity) is None
    assert not holders(launch, "idle") and helpers.names(launch.directory) == []
    await second.close()


async def test_a_launch_fails_with_the_helpers_words_and_leaves_nothing(root: Path, hypervisor: Hypervisor) -> None:
    launch = with_tpm(root, program=("/bin/sh", "-c", "echo no room for a TPM >&2; exit 3"))
    launch = replace(launch, helpers=(*launch.helpers, idle(root)))
    with pytest.raises(HostError, match="swtpm exited with code 3: no room for a TPM") as error:
        await hypervisor.launch(launch)
    assert error.value.reason == "LaunchFailed"
    assert not lock.is_held(launch.directory) and not holders(launch, "idle")
    assert helpers.names(launch.directory) == []


async def test_a_program_that_is_not_there(root: Path, hypervisor: Hypervisor) -> None:
    missing = Helper(name="none", argv=("/nonexistent",), socket=str(root / "run/vm/x.sock"), package="some-package")
    launch = replace(machine(root), helpers=(idle(root), missing))
    with pytest.raises(HostError, match="cannot execute /nonexistent") as error:
        await hypervisor.launch(launch)
    assert error.value.hint == "apt install some-package"
    assert not holders(launch, "idle") and helpers.names(launch.directory) == []


async def test_qemus_own_mistake_is_not_the_helpers(root: Path, hypervisor: Hypervisor) -> None:
    launch = with_tpm(root)
    with pytest.raises(HostError, match=r"QEMU exited with code 1: .*no-such-device"):
        await hypervisor.launch(replace(launch, argv=(*launch.argv, "-device", "no-such-device")))
    assert not holders(launch)
