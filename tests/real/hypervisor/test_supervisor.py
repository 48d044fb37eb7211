"""Real QEMUs without a guest: start, find again, refuse, kill."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from solovirt.hypervisor import lock, supervisor
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.errors import Conflict, HostError, Unavailable
from tests.real.hypervisor.machines import Events, machine

pytestmark = pytest.mark.real

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start QEMU as another user")


def how_it_died(pid: int) -> int:
    """The signal that killed a child of ours which nobody watches any more."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) * -1


async def test_launch_runs_the_machine_and_says_so(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = machine(root)
    instance = await hypervisor.launch(launch)
    assert instance.run_state is RunState.RUNNING
    assert events.kinds() == ["running"]
    assert hypervisor.get("vm") is instance
    assert lock.is_held(launch.directory)
    assert os.getsid(instance.pid) == instance.pid
    assert os.stat(launch.sockets.qmp).st_mode & 0o077 == 0


async def test_launch_paused_stays_before_its_first_instruction(
    root: Path, hypervisor: Hypervisor, events: Events
) -> None:
    instance = await hypervisor.launch(machine(root, paused=True))
    assert await instance.status() is RunState.PRELAUNCH
    assert events.kinds() == []
    await instance.resume()
    assert events.kinds() == ["running"]


async def test_launch_failure_tells_what_qemu_said_and_leaves_nothing(
    root: Path, hypervisor: Hypervisor, events: Events
) -> None:
    launch = machine(root, extra=("-device", "no-such-device"))
    with pytest.raises(HostError, match=r"exited with code 1: .*'no-such-device' is not a valid device") as caught:
        await hypervisor.launch(launch)
    assert caught.value.reason == "LaunchFailed"
    assert hypervisor.get("vm") is None
    assert not lock.is_held(launch.directory)
    assert events.all == []
    # An old failure is not mistaken for a new one's words.
    with pytest.raises(HostError) as again:
        await hypervisor.launch(machine(root, extra=("-device", "other-device")))
    assert "no-such-device" not in again.value.message


async def test_launch_without_the_binary_names_the_package(root: Path, hypervisor: Hypervisor) -> None:
    launch = machine(root)
    launch = replace(launch, argv=("/nonexistent/qemu", *launch.argv[1:]))
    with pytest.raises(HostError, match="cannot execute /nonexistent/qemu: No such file") as caught:
        await hypervisor.launch(launch)
    assert caught.value.reason == "LaunchFailed"
    assert "qemu-system-x86" in caught.value.hint


async def test_launch_of_another_machine_than_announced_is_refused(root: Path, hypervisor: Hypervisor) -> None:
    launch = replace(machine(root), uuid="00000000-0000-0000-0000-00000000000a")
    with pytest.raises(HostError, match="expected 00000000-0000-0000-0000-00000000000a"):
        await hypervisor.launch(launch)
    assert not lock.is_held(launch.directory)


async def test_an_instance_is_never_started_twice(root: Path, hypervisor: Hypervisor) -> None:
    launch = machine(root)
    await hypervisor.launch(launch)
    with pytest.raises(Conflict):
        await hypervisor.launch(launch)
    other = Hypervisor(Events())
    with pytest.raises(Conflict):
        await other.launch(launch)
    await other.close()
    assert Path(launch.sockets.qmp).is_socket()


async def test_cancelling_a_launch_at_any_moment_leaves_nothing(root: Path, hypervisor: Hypervisor) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    launch = machine(root)
    for _ in range(8):
        task = asyncio.create_task(hypervisor.launch(launch))
        done, _ = await asyncio.wait({task}, timeout=moments.uniform(0, 0.08))
        task.cancel()
        await asyncio.wait({task})
        if done or not task.cancelled():
            await task.result().kill()
        assert not lock.is_held(launch.directory), f"seed {seed}"
        assert hypervisor.get("vm") is None


async def test_commands_move_the_run_state(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    instance = await hypervisor.launch(machine(root))
    await instance.pause()
    assert instance.run_state is RunState.PAUSED
    await instance.pause()
    await instance.resume()
    assert await instance.status() is RunState.RUNNING
    await instance.powerdown()
    await instance.qmp("system_reset")
    await events.wait_for("reset")
    assert events.kinds() == ["running", "paused", "running", "reset"]
    await instance.quit()
    assert await instance.wait() == 0
    assert events.all[-1].kind == "exited"
    assert events.all[-1].exit_code == 0
    assert ("shutdown", "host-qmp-quit") in [(event.kind, event.detail) for event in events.all]
    with pytest.raises(Unavailable):
        await instance.pause()


async def test_kill_is_at_once(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = machine(root)
    instance = await hypervisor.launch(launch)
    await instance.kill()
    assert hypervisor.get("vm") is None
    assert events.all[-1].exit_code == -signal.SIGKILL
    assert not lock.is_held(launch.directory)
    assert not Path(launch.sockets.qmp).exists()


async def test_a_qemu_that_dies_is_seen_at_once(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    instance = await hypervisor.launch(machine(root))
    before = time.monotonic()
    os.kill(instance.pid, signal.SIGSEGV)
    event = await events.wait_for("exited")
    assert time.monotonic() - before < 10
    assert event.exit_code == -signal.SIGSEGV
    assert event.detail == "QEMU was killed by SIGSEGV"
    assert hypervisor.get("vm") is None


async def test_close_lets_go_and_adopt_finds_again(root: Path, events: Events) -> None:
    launch = machine(root)
    first_events = Events()
    first = Hypervisor(first_events)
    pid = (await first.launch(launch)).pid
    await first.close()
    assert first.get("vm") is None

    second = Hypervisor(events)
    instance = await second.adopt(launch.identity)
    assert instance is not None
    assert instance.pid == pid
    assert instance.run_state is RunState.RUNNING
    assert await second.adopt(launch.identity) is instance
    await instance.pause()
    await instance.quit()
    assert events.kinds()[0] == "paused"
    assert events.kinds()[-1] == "exited"
    assert first_events.kinds() == ["running"]
    assert await second.adopt(launch.identity) is None
    await second.close()


async def test_adopt_keeps_what_it_finds_paused(root: Path, hypervisor: Hypervisor) -> None:
    launch = machine(root)
    first = Hypervisor(Events())
    instance = await first.launch(launch)
    await instance.pause()
    await first.close()
    again = await hypervisor.adopt(launch.identity)
    assert again is not None
    assert again.run_state is RunState.PAUSED


async def test_adopt_finishes_a_launch_that_was_cut_short(root: Path, hypervisor: Hypervisor, events: Events) -> None:
    launch = machine(root)
    first = Hypervisor(Events())
    await first.launch(replace(launch, paused=True))
    await first.close()
    instance = await hypervisor.adopt(launch.identity)
    assert instance is not None
    assert instance.run_state is RunState.RUNNING
    assert events.kinds() == ["running"]


async def test_adopt_of_nothing(root: Path, hypervisor: Hypervisor) -> None:
    launch = machine(root)
    assert await hypervisor.adopt(launch.identity) is None
    launch.directory.mkdir(parents=True)
    (launch.directory / lock.NAME).touch()
    assert await hypervisor.adopt(launch.identity) is None


async def test_adopt_kills_another_machine_that_holds_the_lock(root: Path, hypervisor: Hypervisor) -> None:
    launch = machine(root)
    first = Hypervisor(Events())
    stranger = await first.launch(launch)
    await first.close()
    wrong = replace(launch, uuid="00000000-0000-0000-0000-00000000000a").identity
    assert await hypervisor.adopt(wrong) is None
    assert how_it_died(stranger.pid) == signal.SIGKILL
    assert not lock.is_held(launch.directory)


async def test_adopt_kills_a_holder_without_a_monitor(
    root: Path, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SOCKET_TIMEOUT", 0.3)
    launch = machine(root)
    launch.directory.mkdir(parents=True)
    fd = lock.open_directory(launch.directory)
    held = lock.take(fd)
    assert held is not None
    sleeper = await asyncio.create_subprocess_exec("/bin/sleep", "60", pass_fds=(held,))
    os.close(held)
    os.close(fd)
    assert lock.holders(launch.directory / lock.NAME) == [sleeper.pid]
    assert await hypervisor.adopt(launch.identity) is None
    assert await sleeper.wait() == -signal.SIGKILL


async def test_a_lost_monitor_is_connected_again(
    root: Path, hypervisor: Hypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solovirt.hypervisor.qmp.REPLY_LIMIT", 16 * 1024)
    instance = await hypervisor.launch(machine(root))
    with pytest.raises(Unavailable):
        await instance.qmp("query-qmp-schema")  # 0.2 MB
    async with asyncio.timeout(60):
        while True:
            try:
                assert await instance.status() is RunState.RUNNING
                break
            except Unavailable:
                await asyncio.sleep(0.01)
    assert hypervisor.get("vm") is instance


@needs_root
async def test_run_as_gives_up_everything_of_root(root: Path, hypervisor: Hypervisor) -> None:
    root.chmod(0o711)
    launch = machine(root, run_as=(65534, 65534))
    first = Hypervisor(Events())
    instance = await first.launch(launch)
    status = Path(f"/proc/{instance.pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert lines["Uid"].split() == ["65534"] * 4
    assert lines["Gid"].split() == ["65534"] * 4
    assert lines["Groups"].split() == ["65534"]
    assert int(lines["CapEff"], 16) == 0
    assert os.stat(launch.sockets.qmp).st_uid == 65534
    await first.close()

    adopted = await hypervisor.adopt(launch.identity)
    assert adopted is not None
    assert adopted.pid == instance.pid
    assert adopted.run_state is RunState.RUNNING


@needs_root
async def test_a_monitor_of_another_user_is_not_trusted(root: Path, hypervisor: Hypervisor) -> None:
    root.chmod(0o711)
    launch = machine(root, run_as=(65534, 65534))
    first = Hypervisor(Events())
    instance = await first.launch(launch)
    await first.close()
    assert await hypervisor.adopt(replace(launch.identity, run_as=None)) is None
    assert how_it_died(instance.pid) == signal.SIGKILL
