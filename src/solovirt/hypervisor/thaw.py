"""Thaws a guest's file systems at a deadline, whatever has become of whoever froze them.

A script of its own: ``python -I -S thaw.py --socket PATH --pid PID --pidfd FD --deadline SECONDS``, with the deadline
on CLOCK_BOOTTIME. It sleeps until the deadline, or until QEMU (which the pidfd names) is gone; then it connects to the
guest agent and thaws, again and again until the guest says that it is thawed. It is killed when there is nothing to
thaw any more. It imports the standard library only, because it may wait for long and shall cost little.

The agent's socket serves one client after the other: while a daemon is connected, this one waits in the queue behind
it. Source: QEMU's docs/interop/qemu-ga (guest-sync-delimited), qga/qapi-schema.json.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import struct
import sys
import time

LIMIT = 65536
ANSWER = 30.0
"""Seconds for one attempt: a thaw may have much to write out."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
_UCRED = struct.Struct("3i")


def main(words: list[str]) -> int:
    options = parse(words)
    if gone(options.pidfd, options.deadline - time.clock_gettime(time.CLOCK_BOOTTIME)):
        return 0
    attempt = 0
    while not thawed(options.socket, options.pid):
        if gone(options.pidfd, PAUSES[min(attempt, len(PAUSES) - 1)]):
            return 0
        attempt += 1
    return 0


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="thaw")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--pidfd", type=int, required=True)
    parser.add_argument("--deadline", type=float, required=True)
    return parser.parse_args(words)


def gone(pidfd: int, seconds: float) -> bool:
    """Whether QEMU ends within so many seconds."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def thawed(path: str, pid: int, patience: float = ANSWER) -> bool:
    """One attempt; whether the guest says that it is thawed."""
    try:
        with connect(path, pid, patience) as wire:
            deadline = time.monotonic() + patience
            number = int.from_bytes(os.urandom(3), "big")
            text = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
            wire.sendall(b"\xff" + json.dumps(text).encode() + b"\n")
            rest = bytearray()
            while answer(wire, rest, deadline, after_delimiter=True) != number:
                pass
            for command in ("guest-fsfreeze-thaw", "guest-fsfreeze-status"):
                wire.sendall(json.dumps({"execute": command}).encode() + b"\n")
                said = answer(wire, rest, deadline)
            return said == "thawed"
    except (OSError, ValueError):
        return False


def connect(path: str, pid: int, patience: float) -> socket.socket:
    """A connection to a socket that process ``pid`` serves. Raises ``OSError``."""
    node = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            wire.settimeout(patience)
            # The inode itself: free of the limit of 107 bytes, and not to be led elsewhere.
            wire.connect(f"/proc/self/fd/{node}")
            peer = _UCRED.unpack(wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if peer[0] != pid:
                raise OSError(f"{path} is served by process {peer[0]}, expected {pid}")
        except BaseException:
            wire.close()
            raise
        return wire
    finally:
        os.close(node)


def answer(wire: socket.socket, rest: bytearray, deadline: float, *, after_delimiter: bool = False) -> object:
    """What the next line returns; None for an error. Raises ``OSError``, and ``ValueError`` for what is no protocol.

    ``after_delimiter``: lines without 0xFF, and what stands before it, are of an earlier conversation.
    """
    while b"\n" not in rest:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        wire.settimeout(left)
        data = wire.recv(4096)
        if not data:
            raise ConnectionResetError("the agent hung up")
        rest += data
        if len(rest) > LIMIT and not after_delimiter:
            raise ValueError("the answer is too long")
        if len(rest) > LIMIT:
            del rest[:-4096]
    line = bytes(rest[: rest.index(b"\n")])
    del rest[: len(line) + 1]
    _, delimiter, text = line.rpartition(b"\xff")
    if after_delimiter and not delimiter:
        return None
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value.get("return")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
