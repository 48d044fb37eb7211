import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.server import lock
from solovirt.server.lock import DaemonLock


def test_the_second_is_refused_at_once_by_the_name_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    first = DaemonLock.acquire(path, served=lambda: False)
    with pytest.raises(HostError, match=rf"another solovirt daemon \(pid {os.getpid()}\)") as caught:
        began = time.monotonic()
        DaemonLock.acquire(path, served=lambda: True)
    assert time.monotonic() - began < lock.STOPPING_PATIENCE / 2
    assert caught.value.reason == "DaemonRunning"
    first.release()
    DaemonLock.acquire(path, served=lambda: True).release()


def test_a_look_at_the_lock_does_not_turn_a_daemon_away(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)

    def leave() -> None:
        time.sleep(0.1)
        os.close(descriptor)

    looker = threading.Thread(target=leave)
    looker.start()
    DaemonLock.acquire(path, served=lambda: True).release()
    looker.join()


def test_links_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError) as caught:
        DaemonLock.acquire(path, served=lambda: True)
    assert caught.value.reason == "LockUnusable"
    assert not (tmp_path / "elsewhere").exists()


def test_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    held = DaemonLock.acquire(tmp_path / "daemon.lock", served=lambda: True)
    assert not os.get_inheritable(held._descriptor)
    held.release()


def test_one_that_is_stopping_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    first = DaemonLock.acquire(path, served=lambda: False)
    stopper = threading.Timer(0.2, first.release)
    stopper.start()
    DaemonLock.acquire(path, served=lambda: False).release()
    stopper.join()


def test_one_that_never_serves_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "STOPPING_PATIENCE", 0.1)
    path = tmp_path / "daemon.lock"
    first = DaemonLock.acquire(path, served=lambda: False)
    with pytest.raises(HostError):
        DaemonLock.acquire(path, served=lambda: False)
    first.release()
