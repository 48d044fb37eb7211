"""Runs a program that serves a directory to a guest, with no more than that directory of this host.

A script of its own: ``python -I -S confine.py --share DIR [--read-only] [--ids FIRST:COUNT] -- PROGRAM ...``.
``@share@`` in the program's arguments becomes the place where it finds the directory. It imports the standard library
only, because it starts with every guest that has filesystems.

What the program gets: a mount namespace in which the directory is mounted nosuid, nodev, noexec and, if it is so,
read-only; and a user namespace in which it is root over the user ids of shares (root daemon: ``--ids``) or over its own
user and the subordinate ids of /etc/subuid (where newuidmap is installed). So it can make files for every user that
the guest has, as virtiofsd does, and has no power at all over anything else on this host, even if a guest takes it
over. Source: user_namespaces(7), mount(2), newuidmap(1).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import shutil
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
PLACEHOLDER = "@share@"
PLACES = ("/mnt", "/media", "/srv", "/tmp")
"""Where the directory is mounted, for this process alone: the first of them that is there."""

_libc = ctypes.CDLL(None, use_errno=True)


def main(words: list[str]) -> int:
    options, program = parse(words)
    try:
        if os.geteuid() == 0:
            place = isolate(options.share, options.read_only)
            enter_user_namespace(options.ids)
        else:
            enter_user_namespace("")
            place = isolate(options.share, options.read_only)
        os.execv(program[0], [word.replace(PLACEHOLDER, place) for word in program])
    except OSError as error:
        print(f"{options.share} cannot be shared: {error}", file=sys.stderr)
    return 1


def parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Raises ``SystemExit`` for what does not fit."""
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="confine")
    parser.add_argument("--share", required=True)
    parser.add_argument("--read-only", action="store_true")
    parser.add_argument("--ids", default="")
    program = words[split + 1 :]
    if not program:
        parser.error("no program")
    return parser.parse_args(words[:split]), program


def isolate(share: str, read_only: bool) -> str:
    """A mount namespace of our own with the directory in it; where it is."""
    _check(_libc.unshare(CLONE_NEWNS), "a mount namespace")
    _mount("none", "/", MS_REC | MS_PRIVATE)
    place = next((path for path in PLACES if os.path.isdir(path)), "")
    if not place:
        raise OSError(f"none of {', '.join(PLACES)} is there")
    _mount(share, place, MS_BIND)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (MS_RDONLY if read_only else 0)
    _mount("none", place, MS_REMOUNT | MS_BIND | flags)
    return place


def enter_user_namespace(ids: str) -> None:
    """Becomes root of a user namespace. The maps are written by a child that stays outside: from inside, a process may
    map only itself, and must give up setgroups(2), which virtiofsd calls."""
    user, group, target = os.getuid(), os.getgid(), os.getpid()
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_write)
        mapped = os.read(ready_read, 1) == b"1" and map_ids(target, user, group, ids)
        os._exit(0 if mapped else 1)
    os.close(ready_read)
    entered = _libc.unshare(CLONE_NEWUSER)
    number = ctypes.get_errno()
    os.write(ready_write, b"1" if entered == 0 else b"0")
    os.close(ready_write)
    _, status = os.waitpid(child, 0)
    if entered != 0:
        raise OSError(number, f"no user namespace: {os.strerror(number)} (sysctl kernel.unprivileged_userns_clone)")
    if status != 0 and ids:
        raise OSError(f"the user ids {ids} cannot be mapped")
    if status != 0:
        map_self(user, group)
        return
    os.setresgid(0, 0, 0)
    os.setgroups([])
    os.setresuid(0, 0, 0)


def map_ids(target: int, user: int, group: int, ids: str) -> bool:
    """Maps the ids of ``target``, from outside of its namespace. False where that is not possible."""
    try:
        if ids:
            first, count = (int(part) for part in ids.split(":"))
            _write(f"/proc/{target}/uid_map", f"0 {first} {count}\n")
            _write(f"/proc/{target}/gid_map", f"0 {first} {count}\n")
            return True
        name = pwd.getpwuid(user).pw_name
        for tool, own, table in (("newuidmap", user, "/etc/subuid"), ("newgidmap", group, "/etc/subgid")):
            program, found = shutil.which(tool), subordinate(table, name, user)
            if program is None or found is None:
                return False
            words = [program, str(target), "0", str(own), "1", "1", str(found[0]), str(found[1])]
            if subprocess.run(words, stdin=subprocess.DEVNULL, check=False, timeout=10).returncode:
                return False
    except (OSError, KeyError, ValueError, subprocess.TimeoutExpired):
        return False
    return True


def subordinate(table: str, name: str, user: int) -> tuple[int, int] | None:
    """The first range of a user in /etc/subuid or /etc/subgid (subuid(5)): its first id and how many there are."""
    with open(table, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            parts = line.strip().split(":")
            if len(parts) == 3 and parts[0] in (name, str(user)):
                return int(parts[1]), int(parts[2])
    return None


def map_self(user: int, group: int) -> None:
    """The map that every process may write: one id, and no setgroups(2). Newer virtiofsds need no more."""
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {user} 1\n")
    _write("/proc/self/gid_map", f"0 {group} 1\n")


def _mount(source: str, target: str, flags: int) -> None:
    done = _libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None)
    _check(done, f"mount on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
