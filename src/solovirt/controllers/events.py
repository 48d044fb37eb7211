"""Events about objects: repeats are counted instead of repeated, old ones go. Best effort, never in anybody's way.

Source of the aggregation, and of the limit on what one object may tell: client-go tools/record. Must not know what
events mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from solovirt.api import registry
from solovirt.api.core.event import NORMAL, WARNING, Event, EventSource, ObjectReference, last_seen
from solovirt.api.meta import KubeObject, ObjectMeta
from solovirt.kit import timestamps
from solovirt.kit.errors import NotFound, SolovirtError
from solovirt.kit.text import printable
from solovirt.store.objects import Objects

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600
KEPT_COUNT = 1000
COMPONENT = "solovirt"
BURST = 25
"""So many events of one reason about one object may come at once, and then one every ``REFILL`` seconds: a probe that
fails each second, or a guest that makes up ever new errors, must not write for ever."""
REFILL = 300.0
_MESSAGE_LIMIT = 1024
_WAITING = 2048
_PRUNE_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class _Note:
    about: ObjectReference
    type: str
    reason: str
    message: str
    when: str


class Recorder:
    """``normal`` and ``warning`` return at once; a task of the recorder's writes. ``host`` is the node's name."""

    def __init__(self, objects: Objects, host: str, clock: Callable[[], str] = timestamps.now) -> None:
        self._objects = objects
        self._host = host
        self._clock = clock
        self._notes: asyncio.Queue[_Note] = asyncio.Queue(_WAITING)
        self._known: dict[tuple[str, str, str, str], tuple[str, str]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pruned = 0.0
        self._left: dict[tuple[str, str, str], tuple[float, float]] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="events")

    async def stop(self) -> None:
        """Writes what was told so far."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._notes.join()
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def normal(self, obj: KubeObject, reason: str, message: str) -> None:
        self._tell(obj, NORMAL, reason, message)

    def warning(self, obj: KubeObject, reason: str, message: str) -> None:
        self._tell(obj, WARNING, reason, message)

    async def flush(self) -> None:
        """Waits until all that was told is written."""
        await self._notes.join()

    def _tell(self, obj: KubeObject, kind: str, reason: str, message: str) -> None:
        meta = obj.metadata
        about = ObjectReference(
            api_version=obj.api_version,
            kind=obj.kind,
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            resource_version=meta.resource_version,
        )
        message = printable(message, _MESSAGE_LIMIT)
        if not self._may_tell((meta.uid, kind, reason)):
            log.debug("event of %s %s/%s left out: %s: %s", obj.kind, meta.namespace, meta.name, reason, message)
            return
        level = logging.INFO if kind == NORMAL else logging.WARNING
        log.log(level, "%s %s/%s: %s: %s", obj.kind, meta.namespace, meta.name, reason, message)
        note = _Note(about, kind, reason, message, self._clock())
        try:
            self._notes.put_nowait(note)
        except asyncio.QueueFull:
            log.warning("event dropped, too many are waiting: %s %s", reason, message)

    def _may_tell(self, key: tuple[str, str, str]) -> bool:
        """Takes one of what is left of a reason's events about an object (a token bucket)."""
        now = time.monotonic()
        left, since = self._left.get(key, (float(BURST), now))
        left = min(float(BURST), left + (now - since) / REFILL)
        self._left[key] = (max(left - 1, left % 1), now)
        return left >= 1

    async def _run(self) -> None:
        while True:
            note = await self._notes.get()
            try:
                await self._write(note)
                await self._prune()
            except SolovirtError as error:
                # A namespace that is being deleted takes no events; a full disk is told elsewhere.
                log.debug("event %s not written: %s", note.reason, error)
            except Exception:
                log.exception("event %s not written", note.reason)
            finally:
                self._notes.task_done()

    async def _write(self, note: _Note) -> None:
        key = (note.about.uid, note.type, note.reason, note.message)
        known = self._known.get(key)
        if known is not None:
            with contextlib.suppress(NotFound):
                await self._objects.modify(registry.EVENTS, *known, lambda event: _again(event, note.when))
                return
        namespace = note.about.namespace or "default"
        made = await self._objects.create(registry.EVENTS, self._event(note, namespace))
        self._known[key] = (namespace, made.metadata.name)

    def _event(self, note: _Note, namespace: str) -> Event:
        return Event(
            metadata=ObjectMeta(name=f"{note.about.name[:230]}.{time.time_ns():x}", namespace=namespace),
            involved_object=note.about,
            type=note.type,
            reason=note.reason,
            message=note.message,
            source=EventSource(component=COMPONENT, host=self._host),
            count=1,
            first_timestamp=note.when,
            last_timestamp=note.when,
            reporting_component=COMPONENT,
            reporting_instance=self._host,
        )

    async def _prune(self) -> None:
        """Removes events that are older than an hour, and the oldest of too many."""
        now = time.monotonic()
        if now - self._pruned < _PRUNE_EVERY and len(self._known) <= KEPT_COUNT:
            return
        self._pruned = now
        self._left = {key: kept for key, kept in self._left.items() if now - kept[1] < BURST * REFILL}
        present = timestamps.parse(self._clock())
        events = sorted(self._objects.list(registry.EVENTS).items, key=lambda event: last_seen(event) or "")
        gone = {
            (event.metadata.namespace, event.metadata.name)
            for number, event in enumerate(events)
            if number < len(events) - KEPT_COUNT or _age(event, present) > KEPT_SECONDS
        }
        for place in gone:
            with contextlib.suppress(NotFound):
                await self._objects.delete(registry.EVENTS, *place)
        left = {(event.metadata.namespace, event.metadata.name) for event in events} - gone
        self._known = {key: place for key, place in self._known.items() if place in left}


def _again(event: Event, when: str) -> bool:
    event.count += 1
    event.last_timestamp = when
    return True


def _age(event: Event, now: datetime) -> float:
    seen = last_seen(event)
    return (now - timestamps.parse(seen)).total_seconds() if seen else 0.0
