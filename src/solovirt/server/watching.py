"""GET of a collection with ``watch=true``: one JSON line per change, for as long as the client stays.

A raw ASGI answer: a response object per event would cost five times as much. Everything that can end a watch (the
client leaves, ``timeoutSeconds``, the daemon stops) closes the store's iterator, and the loop runs out.
Source: Kubernetes API concepts, "Efficient detection of changes" and "Streaming lists".
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from solovirt.api import status
from solovirt.api.meta import KubeObject
from solovirt.kit import json
from solovirt.kit.errors import Cause, Expired, SolovirtError
from solovirt.kit.json import JsonObject
from solovirt.server import listing, negotiation, parameters, representation, selection
from solovirt.server.call import Call
from solovirt.server.lifetime import Lifetime
from solovirt.server.negotiation import Representation
from solovirt.server.selection import Selection
from solovirt.store.watch import Change, Watch

BOOKMARK_INTERVAL = 60.0
DEFAULT_TIMEOUT = 1800
"""Seconds after which a watch without timeoutSeconds ends, as Kubernetes' min-request-timeout."""
MAX_TIMEOUT = 86400


def watch_objects(call: Call) -> WatchAnswer:
    """Raises NotAcceptable, BadRequest, Invalid before the stream begins; a too old version is told inside of it."""
    shape = negotiation.accepted(call.accept, yaml=False)
    representation.include_object(call)
    request = call.request
    check_options(request.query_params.get("resourceVersionMatch", ""), call)
    chosen = selection.from_request(request, call.resource, call.name)
    since = parameters.resource_version(request)
    wanted = parameters.integer(request, "timeoutSeconds") or DEFAULT_TIMEOUT
    initial: bool | None = None
    if "sendInitialEvents" in request.query_params:
        initial = parameters.flag(request, "sendInitialEvents")
    if initial:
        listing.check_version(since, call.objects.revision)
        since = None
    elif initial is False and not since:
        since = call.objects.revision
    failure: Expired | None = None
    source: Watch[KubeObject] | None = None
    try:
        source = call.objects.watch(call.resource, call.namespace, since=since)
    except Expired as error:
        failure = error
    bookmarks = parameters.flag(request, "allowWatchBookmarks")
    return WatchAnswer(
        _Lines(call, shape, chosen),
        source,
        failure,
        bookmarks=bookmarks,
        mark_initial=bool(initial) and bookmarks,
        timeout=min(wanted, MAX_TIMEOUT),
        lifetime=call.services.lifetime,
    )


def check_options(match: str, call: Call) -> None:
    """The rules for combining watch options (apimachinery's validateWatchOptions). Raises Invalid."""
    query = call.request.query_params
    causes: list[Cause] = []
    if "sendInitialEvents" in query and match != "NotOlderThan":
        causes.append(
            listing.forbidden_match("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        )
    if match:
        if "sendInitialEvents" not in query:
            causes.append(
                listing.forbidden_match(
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                )
            )
        if match != "NotOlderThan":
            causes.append(listing.unsupported_match(match))
        if query.get("continue"):
            causes.append(listing.forbidden_match("resourceVersionMatch is forbidden when continue is provided"))
    listing.raise_causes(causes)


class _Lines:
    """Events as lines of the stream, in the client's shape and through its selectors."""

    def __init__(self, call: Call, shape: Representation, chosen: Selection) -> None:
        self._call = call
        self._shape = shape
        self._chosen = chosen

    def event(self, change: Change[KubeObject]) -> bytes:
        """b"" when the client does not select this object. Entering the selection is ADDED, leaving it DELETED."""
        if self._chosen.everything and not self._shape.shape:
            return b'{"type":"%s","object":%s}\n' % (change.type.encode(), change.data)
        now = change.object
        if change.type != "MODIFIED" or self._chosen.everything:
            return self._line(change.type, now) if self._matches(now) else b""
        previous = change.previous
        was, fits = previous is not None and self._matches(previous), self._matches(now)
        if fits:
            return self._line("MODIFIED" if was else "ADDED", now)
        if was and previous is not None:
            previous.metadata.resource_version = now.metadata.resource_version
            return self._line("DELETED", previous)
        return b""

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        resource = self._call.resource
        metadata: JsonObject = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        mark: JsonObject = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        version = f"meta.k8s.io/{self._shape.version}"
        if self._shape.shape:
            mark |= {"kind": "PartialObjectMetadata", "apiVersion": version}
        if self._shape.shape == "Table":
            made = representation.as_table(self._call, [], self._shape, resource_version=str(revision))
            made["rows"] = [{"cells": [], "object": mark}]
            mark = made
        return self.raw("BOOKMARK", mark)

    def error(self, error: SolovirtError) -> bytes:
        return self.raw("ERROR", status.failure(error, resource=None, name=""))

    @staticmethod
    def raw(kind: str, value: object) -> bytes:
        return json.encode({"type": kind, "object": value}) + b"\n"

    def _matches(self, obj: KubeObject) -> bool:
        return self._chosen.matches(self._call.resource, obj)

    def _line(self, kind: str, obj: KubeObject) -> bytes:
        return self.raw(kind, representation.body(self._call, obj, self._shape))


class WatchAnswer:
    """The stream, as an ASGI application."""

    def __init__(
        self,
        lines: _Lines,
        source: Watch[KubeObject] | None,
        failure: Expired | None,
        *,
        bookmarks: bool,
        mark_initial: bool,
        timeout: int,
        lifetime: Lifetime,
    ) -> None:
        self._lines = lines
        self._source = source
        self._failure = failure
        self._bookmarks = bookmarks
        self._mark_initial = mark_initial
        self._timeout = timeout
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"cache-control", b"no-cache, private")],
            }
        )
        if self._source is None:
            line = self._lines.error(self._failure) if self._failure is not None else b""
            await _send_line(send, line)
        else:
            await self._stream(self._source, scope, receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, source: Watch[KubeObject], scope: Scope, receive: Receive, send: Send) -> None:
        # The headers must reach the client now: it may wait for them before it makes the first change.
        await _send_line(send, b"")
        deadline = asyncio.get_running_loop().call_later(self._timeout, source.close)
        leaving = asyncio.create_task(_close_on_disconnect(receive, source))
        try:
            with self._lifetime.ending(source.close):
                await self._send_all(source, send)
        except SolovirtError as error:
            await _send_line(send, self._lines.error(error))
        finally:
            deadline.cancel()
            leaving.cancel()
            source.close()

    async def _send_all(self, source: Watch[KubeObject], send: Send) -> None:
        """Until the source is closed. Raises Expired when this client was too slow."""
        pending = source.initial
        interval = BOOKMARK_INTERVAL if self._bookmarks else None
        while True:
            if not pending and self._mark_initial:
                self._mark_initial = False
                await _send_line(send, self._lines.bookmark(source.revision, initial_end=True))
            try:
                async with asyncio.timeout(interval):
                    change = await anext(source)
            except TimeoutError:
                await _send_line(send, self._lines.bookmark(source.revision))
                continue
            except StopAsyncIteration:
                return
            pending = max(0, pending - 1)
            if line := self._lines.event(change):
                await _send_line(send, line)


async def _close_on_disconnect(receive: Receive, source: Watch[KubeObject]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    source.close()


async def _send_line(send: Send, line: bytes) -> None:
    await send({"type": "http.response.body", "body": line, "more_body": True})
