"""Watching changes: the bounded memory of recent ones, and the bounded queues of those who watch.

Must not know the database. Everything here runs on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from solovirt.api.meta import KubeObject
from solovirt.kit.errors import Cause, Expired, SolovirtError, TimedOut
from solovirt.store.stored import Key, Stored

T = TypeVar("T", bound=KubeObject)
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

MAX_CHANGES = 4096
MAX_BYTES = 4 << 20
MAX_QUEUE = 1024
"""Changes that one slow watcher may have waiting before it is sent away with Expired."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one object. ``state`` is the new one or, after DELETED, the last one under the new revision."""

    type: ChangeType
    state: Stored
    before: Stored | None

    @property
    def key(self) -> Key:
        return self.state.key

    @property
    def revision(self) -> int:
        return self.state.revision


class Change(Generic[T]):
    """What a watcher sees. ``object`` and ``previous`` are decoded when asked for, and are the caller's own."""

    __slots__ = ("_decode", "_event", "_object", "_previous")

    def __init__(self, event: Event, decode: Callable[[bytes], T]) -> None:
        self._event = event
        self._decode = decode
        self._object: T | None = None
        self._previous: T | None = None

    @property
    def type(self) -> ChangeType:
        return self._event.type

    @property
    def revision(self) -> int:
        return self._event.revision

    @property
    def namespace(self) -> str:
        return self._event.key.namespace

    @property
    def name(self) -> str:
        return self._event.key.name

    @property
    def data(self) -> bytes:
        """The object as JSON."""
        return self._event.state.data

    @property
    def object(self) -> T:
        if self._object is None:
            self._object = self._decode(self._event.state.data)
        return self._object

    @property
    def previous(self) -> T | None:
        """The state before this change; None for ADDED."""
        before = self._event.before
        if self._previous is None and before is not None:
            self._previous = self._decode(before.data)
        return self._previous

    def __repr__(self) -> str:
        key = self._event.key
        return f"Change({self.type} {key.kind} {key.namespace}/{key.name} @{self.revision})"


class Listener(Protocol):
    """What the hub knows of a watcher."""

    def offer(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Watch(Generic[T]):
    """Changes of one kind in revision order, without gap or repetition; ends when closed.

    ``initial`` is the number of synthetic ADDED events at its front. Raises Expired from the iteration when the watcher
    fell too far behind; it must then list again.
    """

    def __init__(
        self,
        hub: Hub,
        kind: str,
        namespace: str | None,
        decode: Callable[[bytes], T],
        *,
        start: int,
        initial: Sequence[Event],
        missed: Sequence[Event],
    ) -> None:
        self.initial = len(initial)
        self._hub = hub
        self._kind = kind
        self._namespace = namespace
        self._decode = decode
        self._events: deque[Event] = deque(initial)
        self._events.extend(event for event in missed if self._concerns(event))
        self._limit = hub.max_queue + len(self._events)
        self._left = len(initial)
        self._position = start
        self._wake = asyncio.Event()
        self._failure: SolovirtError | None = None
        self._closed = False

    @property
    def revision(self) -> int:
        """All changes up to here were delivered: what a bookmark may say. 0 while synthetic events are left."""
        if self._left:
            return 0
        return self._position if self._events or self._failure else self._hub.revision

    def __aiter__(self) -> Watch[T]:
        return self

    async def __anext__(self) -> Change[T]:
        while not self._events:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        if self._left:
            self._left -= 1
        else:
            self._position = event.revision
        return Change(event, self._decode)

    def close(self) -> None:
        """Ends the iteration, whoever waits in it. May be called again."""
        self._closed = True
        self._events.clear()
        self._hub.leave(self)
        self._wake.set()

    def offer(self, event: Event) -> None:
        """Called by the hub for each change of any kind."""
        if not self._concerns(event):
            return
        self._events.append(event)
        if len(self._events) > self._limit:
            self._events.clear()
            self._failure = too_old(self._position, self._hub.revision)
            self._hub.leave(self)
        self._wake.set()

    def _concerns(self, event: Event) -> bool:
        return event.key.kind == self._kind and self._namespace in (None, event.key.namespace)


class Hub:
    """The window of recent changes and all watchers. ``revision`` is that of the last published change."""

    def __init__(
        self,
        revision: int,
        *,
        max_changes: int = MAX_CHANGES,
        max_bytes: int = MAX_BYTES,
        max_queue: int = MAX_QUEUE,
    ) -> None:
        self.revision = revision
        self.max_queue = max_queue
        self._floor = revision
        self._window: deque[Event] = deque()
        self._bytes = 0
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._watches: set[Listener] = set()
        self._closed = False

    def publish(self, event: Event) -> None:
        self.revision = event.revision
        self._window.append(event)
        self._bytes += len(event.state.data)
        while len(self._window) > self._max_changes or self._bytes > self._max_bytes:
            oldest = self._window.popleft()
            self._bytes -= len(oldest.state.data)
            self._floor = oldest.revision
        for watch in tuple(self._watches):
            watch.offer(event)

    def since(self, revision: int) -> list[Event]:
        """Changes after ``revision``. Raises Expired or, for one from the future, TimedOut."""
        if revision < self._floor:
            raise too_old(revision, self._floor)
        if revision > self.revision:
            raise TimedOut(
                f"Too large resource version: {revision}, current: {self.revision}",
                causes=[Cause("ResourceVersionTooLarge", "Too large resource version")],
            )
        return [event for event in self._window if event.revision > revision]

    def join(self, watch: Listener) -> None:
        if self._closed:
            watch.close()
            return
        self._watches.add(watch)

    def leave(self, watch: Listener) -> None:
        self._watches.discard(watch)

    def close(self) -> None:
        self._closed = True
        for watch in tuple(self._watches):
            watch.close()


def too_old(asked: int, oldest: int) -> Expired:
    return Expired(f"too old resource version: {asked} ({oldest})")
