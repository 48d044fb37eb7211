"""The end of answers that have no end of their own: watches, followed logs, consoles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Lifetime:
    """Closes every endless answer when the daemon stops, so that clients see a clean end and reconnect."""

    def __init__(self) -> None:
        self.over = False
        self._closers: dict[object, Callable[[], None]] = {}

    @contextmanager
    def ending(self, close: Callable[[], None]) -> Iterator[None]:
        """Call ``close`` if the daemon stops inside of this block; at once if it is stopping already."""
        key = object()
        self._closers[key] = close
        if self.over:
            close()
        try:
            yield
        finally:
            del self._closers[key]

    def end(self) -> None:
        self.over = True
        for close in tuple(self._closers.values()):
            close()
