"""Progress for the person who waits: on stderr, one line that is rewritten on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import sys
from types import TracebackType


def styled(fd: int) -> bool:
    """May escape sequences be written there? (https://no-color.org, and terminals that are dumb)"""
    return os.isatty(fd) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


class Progress:
    """A context manager: what stands on the line at the end is wiped.

    ``quiet`` progress is for terminals only; what it says can be asked for at any time.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._terminal = os.isatty(2)
        self._rewrites = self._terminal and os.environ.get("TERM") != "dumb"
        self._quiet = quiet and not self._terminal
        self._last = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def text(self, message: str) -> None:
        if message == self._last or self._quiet:
            return
        self._last = message
        if self._rewrites:
            print(f"\r\x1b[K{_fitting(message)}", end="", file=sys.stderr, flush=True)
        else:
            print(message, file=sys.stderr, flush=True)

    def bytes(self, what: str, done: int, total: int) -> None:
        """So much of so much; where lines cannot be rewritten, once for each ``what``."""
        if total and self._rewrites:
            self.text(f"{what}: {megabytes(done)} of {megabytes(total)} ({done * 100 // total} %)")
        else:
            self.text(what)

    def end(self) -> None:
        if self._rewrites and self._last:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self._last = ""


def _fitting(message: str) -> str:
    """Not wider than the terminal: a wrapped line cannot be rewritten."""
    try:
        width = os.get_terminal_size(2).columns
    except OSError:
        width = 80
    return message if len(message) < width or width < 10 else message[: width - 2] + "…"
