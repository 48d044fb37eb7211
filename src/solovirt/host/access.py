"""Who may touch which file: every machine of a root daemon runs as a user of its own and reaches only its own files.

A machine's user is a bare number out of a range that nobody else uses; nothing is written to /etc/passwd. Files that
only it uses are given to it; files that it shares (images, claims, host disks) get an ACL entry for it. Everything is
done on open descriptors, never on paths, so a file swapped for a link meanwhile gains nothing. For a daemon that is
not root all of this does nothing: QEMU runs as the user, who owns the files.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import struct
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from solovirt.host.images import tools
from solovirt.kit import nolinks
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths
from solovirt.kit.text import printable

BASE = 2_020_000_000
"""First user id of machines. systemd's table of ids (systemd.io/UIDS-GIDS) leaves 1879048192..2147483647 unused."""
COUNT = 65_536
HELPER = (BASE + COUNT, BASE + COUNT)
"""(uid, gid) of short-lived helpers that read foreign files for a root daemon (qemu-img convert)."""
SHARES = BASE + 2 * COUNT
"""Shared directories: the guest's user id n is the host's ``SHARES + n`` in them, for all guests and at every start."""
SHARED_IDS = 65_536

_TRAVERSABLE = 0o711
_PASSABLE_FOR_GROUP = 0o710
_ACL_HEADER = struct.Struct("<I")
_ACL_ENTRY = struct.Struct("<HHI")
_ACL_USER = 0x02
_TIMEOUT = 30.0


class UidPool(msgspec.Struct, frozen=True):
    """User ids ``base`` .. ``base + count - 1``, one for each running machine, group ids likewise. Pure."""

    base: int = BASE
    count: int = COUNT

    def allocate(self, in_use: Collection[int], *, last: int = 0) -> int:
        """A free id, the next after ``last`` so that one just given back rests. Raises ``HostError`` when none is."""
        start = last - self.base + 1 if self.holds(last) else 0
        for step in range(self.count):
            uid = self.base + (start + step) % self.count
            if uid not in in_use:
                return uid
        raise HostError(f"all {self.count} user ids for machines are in use", reason="NoFreeUser")

    def holds(self, uid: int) -> bool:
        return self.base <= uid < self.base + self.count


POOL = UidPool()


def live_users() -> set[int]:
    """The user ids of machines that any process of this host has now, also another daemon's. Blocks."""
    return {uid for _, uid in _processes()}


def end_all_of(uid: int, patience: float = 5.0) -> int:
    """SIGKILL every process of a machine's user until none is left; the number of signals. Blocks. Root only.

    A QEMU that a guest took over may have let go of its lock, so that nobody holds it for alive: before its user is
    another machine's, it must be gone. Raises ``HostError`` when one cannot be killed.
    """
    if not is_root() or not POOL.holds(uid):
        return 0
    sent = 0
    deadline = time.monotonic() + patience
    while found := [pid for pid, owner in _processes() if owner == uid]:
        sent += sum(_kill(pid, uid) for pid in found)
        if time.monotonic() > deadline:
            raise HostError(f"processes {found} of user {uid} cannot be killed", reason="HypervisorStuck")
        time.sleep(0.02)
    return sent


def _processes() -> Iterator[tuple[int, int]]:
    """(pid, uid) of every process of machines' users."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and (uid := _user_of(int(name))) is not None:
            yield int(name), uid


def _user_of(pid: int) -> int | None:
    """The machine's user that a process is; None for all others and for zombies."""
    try:
        # Not the owner of /proc/<pid>: that is root for a process that made itself undumpable.
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        uid, state = int(fields["Uid"].split()[0]), fields["State"].split()[0]
    except (OSError, ValueError, LookupError):
        return None
    return uid if POOL.holds(uid) and state not in "ZX" else None


def _kill(pid: int, uid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Asked again now that the pidfd pins the process: the pid may have changed hands since it was found.
        if _user_of(pid) != uid:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def is_root() -> bool:
    return os.geteuid() == 0


def open_up(paths: Paths) -> None:
    """Makes the daemon's directories; for root they can be passed through (0711) but not listed by machines' users."""
    for directory in (
        paths.state,
        paths.state / "instances",
        paths.state / "vms",
        paths.images,
        paths.images / "blobs",
        paths.images / "blobs" / "sha256",
        paths.volumes,
    ):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_root():
            directory.chmod(_TRAVERSABLE)


def open_claim(disk: Path) -> None:
    """The two directories above a claim's disk, likewise."""
    if is_root():
        for directory in (disk.parent, disk.parent.parent):
            directory.chmod(_TRAVERSABLE)


def hand_over(directory: Path, uid: int, gid: int) -> None:
    """Gives the plain files directly in a directory to a machine's user. Blocks. Root only, else nothing.

    The directory stays root's and the machine may only pass through it (0710): a QEMU that a guest took over can put
    no link and no other file in the place of one that root opens there. Symbolic links, files with further hard links
    and anything that is no plain file stay as they are.
    """
    if not is_root():
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(descriptor):
            with contextlib.suppress(OSError), _opened_in(descriptor, name) as file:
                found = os.fstat(file)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                    os.fchown(file, uid, gid)
        os.fchown(descriptor, os.geteuid(), gid)
        os.fchmod(descriptor, _PASSABLE_FOR_GROUP)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened_in(directory: int, name: str) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def grant(
    uid: int,
    *,
    read: Iterable[Path] = (),
    write: Iterable[Path] = (),
    foreign: Iterable[Path] = (),
    devices: Iterable[Path] = (),
) -> None:
    """Lets a machine's user read, or read and write, single files or block devices. Root only, else nothing.

    ``foreign`` is written, too, and may lie in directories of other users: no link is followed anywhere on its path.
    ``devices`` are character devices that it may use, such as /dev/vhost-vsock.
    Raises ``HostError`` (``MissingTool`` without the package acl; ``AccessDenied`` where the file system has no ACLs or
    the file is a link).
    """
    if not is_root():
        return
    import asyncio

    await asyncio.gather(
        _setfacl("-m", f"u:{uid}:r", sorted(set(read))),
        _setfacl("-m", f"u:{uid}:rw", sorted(set(write))),
        _setfacl("-m", f"u:{uid}:rw", sorted(set(foreign)), links=False),
        _setfacl("-m", f"u:{uid}:rw", sorted(set(devices)), devices=True),
    )


async def revoke(uid: int, paths: Iterable[Path]) -> None:
    """Takes back what ``grant`` gave; files that are gone are fine. Root only, else nothing."""
    if is_root():
        await _setfacl("-x", f"u:{uid}", sorted(path for path in set(paths) if path.exists()), devices=True)


async def revoke_stale(paths: Iterable[Path], live: Collection[int]) -> None:
    """Takes back the grants of machines that no longer exist (a daemon was killed before it could)."""
    if not is_root():
        return
    stale: dict[int, list[Path]] = {}
    for path in set(paths):
        for uid in granted(path):
            if POOL.holds(uid) and uid not in live:
                stale.setdefault(uid, []).append(path)
    for uid, files in stale.items():
        await revoke(uid, files)


def granted(path: Path) -> dict[int, int]:
    """User id -> permission bits (4 read, 2 write) of the named users in a file's ACL."""
    try:
        raw = os.getxattr(path, "system.posix_acl_access", follow_symlinks=False)
    except OSError:
        return {}
    entries = _ACL_ENTRY.iter_unpack(raw[_ACL_HEADER.size :])
    return {number: bits for tag, bits, number in entries if tag == _ACL_USER}


async def _setfacl(action: str, entry: str, paths: list[Path], *, links: bool = True, devices: bool = False) -> None:
    if not paths:
        return
    with contextlib.ExitStack() as stack:
        descriptors = [stack.enter_context(_pinned(path, links, devices)) for path in paths]
        done = await tools.run(
            "setfacl",
            [action, entry, "--", *(f"/proc/self/fd/{descriptor}" for descriptor in descriptors)],
            timeout=_TIMEOUT,
            needed_for="running QEMU as an unprivileged user",
            pass_fds=descriptors,
        )
    if done.returncode:
        raise HostError(
            f"setfacl {entry} on {', '.join(map(str, paths[:4]))}: {printable(done.stderr.strip(), 300)}",
            reason="AccessDenied",
            hint="the file system must support POSIX ACLs (ext4, xfs, btrfs, tmpfs do)",
        )


@contextlib.contextmanager
def _pinned(path: Path, links: bool, devices: bool = False) -> Iterator[int]:
    """An O_PATH descriptor: needs no permission on the file, opens no device; the file itself is never a link.

    ``links`` tells whether directories above it may be: ours may lie behind one (/var/lib), others' may not.
    """
    try:
        flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags) if links else nolinks.open_path(str(path))
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", reason="AccessDenied") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or (devices and stat.S_ISCHR(mode))):
            raise HostError(f"{path}: not a regular file or block device", reason="AccessDenied")
        yield descriptor
    finally:
        os.close(descriptor)


async def check_reachable(path: Path, uid: int, *, write: bool, field: str = "") -> None:
    """Whether a machine's user gets through the directories above a file outside our own. Root only, else nothing."""
    if not is_root():
        return
    confinement = tools.Confinement(user=(uid, uid))
    done = await tools.run("test", ["-w" if write else "-r", str(path)], timeout=_TIMEOUT, confinement=confinement)
    if done.returncode:
        raise HostError(
            f"{path}: QEMU, which runs as an unprivileged user, cannot reach it",
            reason="AccessDenied",
            field=field,
            hint="every directory above it must be passable for others (chmod o+x)",
        )
