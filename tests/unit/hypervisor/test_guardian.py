from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from solovirt.hypervisor import guardian, lock, thaw
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import HostError


def instance(tmp_path: Path, *, exited: bool = False) -> Instance:
    sockets = SimpleNamespace(agent="/run/agent.sock")
    identity = SimpleNamespace(directory=tmp_path, sockets=sockets)
    return cast(Instance, SimpleNamespace(pid=os.getpid(), has_exited=exited, identity=identity))


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, object]]]:
    calls: list[tuple[list[str], dict[str, object]]] = []

    def spawn(words: list[str], **more: object) -> str:
        calls.append((words, more))
        return "child"

    monkeypatch.setattr(guardian, "spawn", spawn)
    return calls


def test_its_words(tmp_path: Path, spawned: list[tuple[list[str], dict[str, object]]]) -> None:
    assert cast(object, guardian.start(instance(tmp_path), 12.5)) == "child"
    ((words, more),) = spawned
    options = thaw.parse(words[4:])
    assert words[1:4] == ["-I", "-S", thaw.__file__]
    assert (options.socket, options.pid, options.deadline) == ("/run/agent.sock", os.getpid(), 12.5)
    passed = more["pass_fds"]
    assert isinstance(passed, tuple) and options.pidfd in passed and len(passed) == 2
    assert not guardian.waits(tmp_path), "the one that would hold the lock was not really started"


def test_only_one(tmp_path: Path, spawned: list[object]) -> None:
    folder = lock.open_directory(tmp_path)
    held = lock.take(folder, guardian.NAME)
    os.close(folder)
    assert held is not None
    try:
        assert guardian.waits(tmp_path)
        with pytest.raises(HostError) as caught:
            guardian.start(instance(tmp_path), 1)
        assert caught.value.reason == "GuardianThere"
    finally:
        os.close(held)
    assert spawned == []


def test_not_for_a_machine_that_is_gone(tmp_path: Path, spawned: list[object]) -> None:
    with pytest.raises(HostError, match="QEMU is gone"):
        guardian.start(instance(tmp_path, exited=True), 1)
    assert spawned == []


async def test_ending_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / guardian.NAME).touch()
    await guardian.end(tmp_path, None)
    await guardian.end(tmp_path, None)
    assert list(tmp_path.iterdir()) == []
