"""A program under a pseudo-terminal: type, read until something appears, look at the terminal's settings."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence

ESCAPE = b"\x1d"
"""^]"""


class Terminal:
    def __init__(self, master: int, slave: int, process: subprocess.Popen[bytes]) -> None:
        self._master, self._slave = master, slave
        self.process = process
        self.seen = b""

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def expect(self, wanted: bytes, timeout: float = 60) -> bytes:
        """Everything up to and with ``wanted``, out of what was not taken yet."""
        deadline = time.monotonic() + timeout
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            ready = select.select([self._master], [], [], max(left, 0))[0]
            assert ready, f"not within {timeout:g} s on the terminal: {wanted!r}; seen: {self.seen[-1500:]!r}"
            self.seen += os.read(self._master, 65536)
        found, _, self.seen = self.seen.partition(wanted)
        return found + wanted

    def modes(self) -> tuple[int, int]:
        """Input and local modes (termios(3)): ICANON and ECHO are in the second."""
        settings = termios.tcgetattr(self._slave)
        return settings[0], settings[3]


@contextlib.contextmanager
def running(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Start the program as the leader of a session with the terminal; it is killed if it still runs at the end."""
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=dict(environ), start_new_session=True
        )
        try:
            yield Terminal(master, slave, process)
        finally:
            process.kill()
            process.wait(60)
    finally:
        os.close(slave)
        os.close(master)
