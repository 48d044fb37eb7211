"""The script that thaws at a deadline, against an agent in a thread."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solovirt.hypervisor import thaw

Reply = Callable[[str, dict[str, object]], bytes]


@contextlib.contextmanager
def agent(reply: Reply) -> Iterator[tuple[str, list[str]]]:
    """Serves one client after the other; the path, and the commands that came."""
    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    path, commands = str(folder / "s"), list[str]()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            with wire, wire.makefile("rb") as lines, contextlib.suppress(OSError):
                for line in lines:
                    request = json.loads(line.rpartition(b"\xff")[2])
                    commands.append(request["execute"])
                    wire.sendall(reply(request["execute"], request.get("arguments", {})))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield path, commands
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(60)
        shutil.rmtree(folder)


def good(command: str, arguments: dict[str, object]) -> bytes:
    if command == "guest-sync-delimited":
        return b'{"return": 3}\nnoise\xff{"return": %d}\n' % int(str(arguments["id"]))
    return b'{"return": "thawed"}\n' if command == "guest-fsfreeze-status" else b'{"return": 1}\n'


def test_it_thaws_and_asks() -> None:
    with agent(good) as (path, commands):
        assert thaw.thawed(path, os.getpid(), 5)
    assert commands == ["guest-sync-delimited", "guest-fsfreeze-thaw", "guest-fsfreeze-status"]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"return": "frozen"}\n',
        b'{"error": {"desc": "no"}}\n',
        b"[]\n",
        b"nonsense\n",
        b"[" * 60000 + b"\n",
        b"x" * 70000,
        b"",
    ],
)
def test_an_agent_that_says_something_else(answer: bytes) -> None:
    def reply(command: str, arguments: dict[str, object]) -> bytes:
        return answer if command == "guest-fsfreeze-status" else good(command, arguments)

    with agent(reply) as (path, _):
        assert not thaw.thawed(path, os.getpid(), 0.3)


def test_another_process_is_not_talked_to(tmp_path: Path) -> None:
    with agent(good) as (path, commands):
        assert not thaw.thawed(path, os.getpid() + 1, 1)
        link = tmp_path / "link"
        link.symlink_to(path)
        assert not thaw.thawed(str(link), os.getpid(), 1)
    assert commands == []
    assert not thaw.thawed(str(tmp_path / "none"), os.getpid(), 1)


def test_not_before_the_deadline_and_again_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [False, False, True]
    monkeypatch.setattr(thaw, "PAUSES", (0.01,))
    monkeypatch.setattr(thaw, "thawed", lambda path, pid: failures.pop(0))
    read, write = os.pipe()
    try:
        began = time.monotonic()
        deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.2
        words = ["--socket", "/x", "--pid", "1", "--pidfd", str(read), "--deadline", str(deadline)]
        assert thaw.main(words) == 0
        assert time.monotonic() - began >= 0.19
        assert failures == []
    finally:
        os.close(read)
        os.close(write)


def test_it_ends_with_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pidfd is readable once its process is gone; so is a pipe whose other end is closed."""
    asked: list[str] = []
    monkeypatch.setattr(thaw, "thawed", lambda path, pid: asked.append(path))
    read, write = os.pipe()
    os.close(write)
    try:
        for seconds in (60, -1):
            deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
            words = ["--socket", "/x", "--pid", "1", "--pidfd", str(read), "--deadline", str(deadline)]
            assert thaw.main(words) == 0
        assert asked == []
    finally:
        os.close(read)


@pytest.mark.parametrize("flood", [b"\n" * 4096, b"x" * 4096, b'\xff{"return": 0}\n' * 200])
def test_an_agent_that_never_ends_costs_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch, flood: bytes) -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def pour() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                theirs.sendall(flood)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    monkeypatch.setattr(thaw, "connect", lambda path, pid, patience: ours)
    try:
        began = time.monotonic()
        assert not thaw.thawed("/x", 1, 0.2)
        assert time.monotonic() - began < 30
    finally:
        stop.set()
        ours.close()
        theirs.close()
        thread.join(60)
