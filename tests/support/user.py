"""An ordinary user of this machine, made for a test, with a copy of solovirt that this user can read."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.system import ROOT, System, folder


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    gid: int
    home: Path


@contextlib.contextmanager
def made(home: Path) -> Iterator[User]:
    """A user with its own group and ``home``. Needs root. At the end its processes and the account are removed."""
    name = f"svtest-{secrets.token_hex(3)}"
    subprocess.run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/bin/sh", name],
        check=True,
        capture_output=True,
    )
    try:
        fields = subprocess.run(["getent", "passwd", name], check=True, capture_output=True, text=True).stdout.split(
            ":"
        )
        user = User(name, int(fields[2]), int(fields[3]), home)
        home.mkdir(mode=0o700)
        os.chown(home, user.uid, user.gid)
        yield user
    finally:
        for pid in _processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["userdel", "--force", name], check=True, capture_output=True)


def _processes(name: str) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "-u", name], capture_output=True, text=True).stdout
    return [int(pid) for pid in listed.split()]


def copy_of_solovirt(target: Path) -> Path:
    """The sources and the libraries that they need at run time, readable by everybody: for PYTHONPATH."""
    target.mkdir(mode=0o755)
    shutil.copytree(ROOT / "src" / "solovirt", target / "solovirt", ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(_needed("solovirt", set())):
        found = importlib.metadata.distribution(name)
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." not in file.parts and source.is_file() and "__pycache__" not in file.parts:
                place = target / str(file)
                place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                shutil.copyfile(source, place)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", target], check=True)
    return target


def _needed(name: str, known: set[str]) -> set[str]:
    """The distributions that one requires, without its extras, and theirs."""
    for line in importlib.metadata.distribution(name).requires or []:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        if match and "extra ==" not in line and match[0] not in known:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                importlib.metadata.distribution(match[0])
                known.add(match[0])
                _needed(match[0], known)
    return known


def interpreter() -> str:
    """The Python that our virtual environment is made of: the libraries are built for it."""
    return os.path.realpath(sys.executable)


@contextlib.contextmanager
def system_of_a_user() -> Iterator[tuple[System, User]]:
    """A system whose commands run as a new user, with nothing but HOME and the XDG directories set; no daemon yet."""
    place = folder()
    try:
        library = copy_of_solovirt(place / "lib")
        with made(place / "home") as user:
            runtime = user.home / "run"
            runtime.mkdir(mode=0o700)
            os.chown(runtime, user.uid, user.gid)
            drop = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--inh-caps=-all", "--"]
            environ = {
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": str(user.home),
                "USER": user.name,
                "XDG_RUNTIME_DIR": str(runtime),
                "PYTHONPATH": str(library),
                "PYTHONDONTWRITEBYTECODE": "1",
                "SOLOVIRT_ACCEL": "tcg",
            }
            state = user.home / ".local" / "state" / "solovirt"
            command = [*drop, interpreter(), "-m", "solovirt"]
            system = System(state, runtime / "solovirt", command=command, environ=environ)
            try:
                yield system, user
            finally:
                system.end()
    finally:
        shutil.rmtree(place)
