"""A machine's QMP events for those who wait for one: begin to listen, give the command, read what follows.

It must not know what an event means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from solovirt.kit.errors import TimedOut, Unavailable
from solovirt.kit.json import JsonObject

QUEUED = 4096
"""Events that wait for a listener. A guest can cause many; the oldest are dropped."""

Event = tuple[str, JsonObject]
"""Name and data."""


class Listener:
    """Events since it was made, in QEMU's order."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, event: Event | None) -> None:
        if self._events.qsize() >= QUEUED:
            self._events.get_nowait()
        self._events.put_nowait(event)

    async def next(self, timeout: float) -> Event:
        """The next event. Raises ``TimedOut`` after ``timeout`` seconds, ``Unavailable`` when the monitor is lost."""
        try:
            async with asyncio.timeout(timeout):
                event = await self._events.get()
        except TimeoutError as error:
            raise TimedOut(f"QEMU told nothing within {timeout:g} s") from error
        if event is None:
            raise Unavailable("QEMU's monitor was lost; events are missing")
        return event


class Happenings:
    """All listeners of one machine."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def tell(self, name: str, data: JsonObject) -> None:
        for listener in self._listeners:
            listener.put((name, data))

    def lost(self) -> None:
        """The monitor is gone: whoever waits has to look for himself."""
        for listener in self._listeners:
            listener.put(None)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
