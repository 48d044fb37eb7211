"""What lives as long as a VM and not only as long as one start of it: UEFI variables and the state of its TPM.

``vms/<uid>/``: the uid is that of the VirtualMachine, or of a VMI that has none. For a root daemon the directory stays
root's and what is in it belongs to the machine's user of the moment. Knows nothing of who asks for it. Blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

import msgspec

from solovirt.host import access
from solovirt.host.images import files
from solovirt.kit.paths import Paths

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_OWN = 0o700


class Places(msgspec.Struct, frozen=True):
    """``instance`` goes with the VMI, ``kept`` with the VM. ``run_as`` is the machine's (uid, gid), None for ours."""

    instance: Path
    kept: Path
    run_as: tuple[int, int] | None = None

    def directory(self, *, persistent: bool) -> Path:
        return self.kept if persistent else self.instance


def places(paths: Paths, uid: str, key: str, run_as: tuple[int, int] | None = None) -> Places:
    """``uid`` is the VMI's, ``key`` that of what it belongs to. Raises ``ValueError`` for what is no uid."""
    for text in (uid, key):
        if not _UID.fullmatch(text):
            raise ValueError(f"{text!r} is not a uid")
    return Places(paths.instance(uid), paths.vm(key), run_as)


def make(directory: Path, run_as: tuple[int, int] | None) -> None:
    """The directory itself. Raises ``HostError``."""
    with files.telling(directory.parent, f"directory {directory.name}"):
        files.make_directory(directory)
        give(directory, run_as)


def give(directory: Path, run_as: tuple[int, int] | None) -> None:
    """Hands the plain files in it to the machine's user."""
    if run_as is not None:
        access.hand_over(directory, *run_as)


def make_own(directory: Path, run_as: tuple[int, int] | None) -> None:
    """A directory in which the machine's user makes files itself, and those that an earlier user of it left there.

    No link is followed; files with further names stay as they are. Raises ``HostError``.
    """
    with files.telling(directory.parent, f"directory {directory.name}"):
        files.make_directory(directory, _OWN)
        if run_as is None or not access.is_root():
            return
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for name in os.listdir(descriptor):
                _give_file(descriptor, name, run_as)
            os.fchown(descriptor, *run_as)
            os.fchmod(descriptor, _OWN)
        finally:
            os.close(descriptor)


def discard(paths: Paths, key: str) -> None:
    """Deletes all of it; fine when there is nothing. Raises ``HostError``."""
    if not _UID.fullmatch(key):
        return
    directory = paths.vm(key)
    with files.telling(directory.parent, f"directory {key}"):
        if directory.is_dir() and not directory.is_symlink():
            files.remove_tree(directory)


def existing(paths: Paths) -> set[str]:
    """The keys of which something is kept."""
    try:
        return {entry.name for entry in os.scandir(paths.vm("x").parent)}
    except FileNotFoundError:
        return set()


def _give_file(directory: int, name: str, owner: tuple[int, int]) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        file = os.open(name, flags, dir_fd=directory)
        try:
            found = os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                os.fchown(file, *owner)
        finally:
            os.close(file)
