"""A full screen on a terminal: the alternate one while it lasts, and everything as it was afterwards, whatever happens.

Keys are read one by one; the size may change; ^Z leaves the terminal usable. Must not know what is shown.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
REVERSE, PLAIN = "\x1b[7m", "\x1b[m"
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Screen:
    """Made by ``opened``. ``draw`` shows lines, ``wait`` sleeps until a key, a new size or the end of the time."""

    def __init__(self, source: int, wakeup: int) -> None:
        self._source = source
        self._wakeup = wakeup

    @staticmethod
    def size() -> os.terminal_size:
        """80 by 24 where the terminal does not know."""
        try:
            found = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            found = os.terminal_size((0, 0))
        return os.terminal_size((found.columns or 80, found.lines or 24))

    def draw(self, lines: Sequence[str], *, reverse: int = -1) -> None:
        """From the top, cut to the terminal; line ``reverse`` stands out. Lines must be printable."""
        width, height = self.size()
        shown = [line[:width] for line in lines[: max(height, 1)]]
        if 0 <= reverse < len(shown):
            shown[reverse] = REVERSE + shown[reverse].ljust(width) + PLAIN
        # The last line gets no line end: it would scroll.
        body = (CLEAR_LINE + "\n").join(shown)
        sys.stdout.write(HOME + body + CLEAR_LINE + CLEAR_BELOW)
        sys.stdout.flush()

    def wait(self, seconds: float) -> str:
        """The key that was pressed, "" for a signal (a new size), "timeout" at the end of the time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select([self._source, self._wakeup], [], [], left)[0]
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                return ""
            if self._source in ready:
                data = os.read(self._source, 64)
                # A terminal that has gone reads as its end, again and again.
                return data.decode("ascii", "replace") if data else "q"
        return "timeout"


@contextlib.contextmanager
def opened() -> Iterator[Screen]:
    """Takes the terminal over. SIGTERM and SIGHUP become SystemExit, so that it is given back on that way too."""
    source = sys.stdin.fileno()
    settings = termios.tcgetattr(source)
    woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    terminal = _Terminal(source, settings)
    handlers = {number: signal.signal(number, _end) for number in _ENDING}
    handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _ignore)
    handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, _ignore)
    handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, terminal.suspend)
    previous = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        terminal.enter()
        yield Screen(source, woken)
    finally:
        terminal.leave()
        signal.set_wakeup_fd(previous)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(woken)
        os.close(waker)


class _Terminal:
    def __init__(self, source: int, settings: list[int | list[bytes | int]]) -> None:
        self._source = source
        self._settings = settings

    def enter(self) -> None:
        tty.setcbreak(self._source, termios.TCSANOW)
        self._say(ENTER)

    def leave(self) -> None:
        self._say(LEAVE)
        with contextlib.suppress(termios.error):  # the terminal may have gone
            termios.tcsetattr(self._source, termios.TCSANOW, self._settings)

    def suspend(self, number: int, frame: FrameType | None) -> None:
        """^Z: as if we had left; once woken up, as if we came anew."""
        self.leave()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)
        self.enter()

    @staticmethod
    def _say(text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Its arrival alone wakes ``wait`` up."""
