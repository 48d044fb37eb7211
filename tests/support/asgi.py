"""An in-process client of an ASGI application: requests, endless answers and WebSockets, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

Loose = Any
"""Plain JSON and other values that tests look into without ceremony."""
Message = dict[str, Any]
Headers = Mapping[str, str]
TIMEOUT = 60.0


class Answer:
    """A whole answer."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status = status
        self.raw_headers = headers
        self.body = body

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.raw_headers}

    def all(self, name: str) -> list[str]:
        return [value.decode() for key, value in self.raw_headers if key.decode().lower() == name]

    def json(self) -> Loose:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:500]!r}>"


class Connection:
    """The two ends of one request: what the application receives and what it sends."""

    def __init__(self, app: Loose, scope: Message, first: list[Message]) -> None:
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.outgoing: asyncio.Queue[Message | None] = asyncio.Queue()
        for message in first:
            self.incoming.put_nowait(message)
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: Loose, scope: Message) -> None:
        try:
            await app(scope, self.incoming.get, self._send)
        finally:
            self.outgoing.put_nowait(None)

    async def _send(self, message: Message) -> None:
        self.outgoing.put_nowait(message)

    async def sent(self, timeout: float = TIMEOUT) -> Message | None:
        """The next message of the application; None once it has returned."""
        return await asyncio.wait_for(self.outgoing.get(), timeout)

    async def finish(self, timeout: float = TIMEOUT) -> None:
        """Wait for the application to return; its exception is ours."""
        await asyncio.wait_for(self.task, timeout)


class Stream:
    """An answer that goes on."""

    def __init__(self, connection: Connection, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = {name.decode().lower(): value.decode() for name, value in headers}
        self._connection = connection
        self._buffer = b""
        self.ended = False

    async def chunk(self, timeout: float = TIMEOUT) -> bytes:
        """The next bytes that are not empty; b"" at the end."""
        while not self.ended:
            message = await self._connection.sent(timeout)
            if message is None or not message.get("more_body", False):
                self.ended = True
                return b"" if message is None else bytes(message.get("body", b""))
            if message["body"]:
                return bytes(message["body"])
        return b""

    async def event(self, timeout: float = TIMEOUT) -> Loose:
        """The next JSON line; None at the end."""
        while b"\n" not in self._buffer:
            data = await self.chunk(timeout)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    async def events(self, count: int) -> list[Any]:
        return [await self.event() for _ in range(count)]

    async def quiet(self, seconds: float = 0.05) -> bool:
        """True if nothing comes for so long."""
        try:
            await self.event(seconds)
        except TimeoutError:
            return True
        return False

    def disconnect(self) -> None:
        self._connection.incoming.put_nowait({"type": "http.disconnect"})


class Socket:
    """The client's end of a WebSocket, or the answer that refused it."""

    def __init__(self, connection: Connection, accepted: Message | None, refusal: Answer | None) -> None:
        self._connection = connection
        self.subprotocol = accepted.get("subprotocol") if accepted else None
        self.refusal = refusal

    def send(self, data: bytes) -> None:
        self._connection.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    def send_text(self, text: str) -> None:
        self._connection.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def close(self) -> None:
        self._connection.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def message(self) -> Message | None:
        return await self._connection.sent()

    async def receive(self) -> bytes:
        message = await self.message()
        assert message is not None and message["type"] == "websocket.send", message
        return bytes(message["bytes"])


class Client:
    """Talks to ``app``; ``server`` is what uvicorn says of a unix socket unless told otherwise."""

    def __init__(self, app: Loose, server: tuple[str, int | None] = ("/run/solovirt.sock", None)) -> None:
        self.app = app
        self.server = server

    def scope(self, kind: str, target: str, query: Loose, headers: Headers) -> Message:
        path, _, written = target.partition("?")
        return {
            "type": kind,
            "http_version": "1.1",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": (urlencode(query, doseq=True) if query else written).encode(),
            "headers": [(key.lower().encode(), value.encode()) for key, value in {"host": "x", **headers}.items()],
            "server": self.server,
            "client": None,
            "root_path": "",
            "extensions": {"websocket.http.response": {}},
        }

    async def request(
        self,
        method: str,
        target: str,
        body: Loose = None,
        *,
        query: Loose = None,
        headers: Headers | None = None,
        content_type: str | None = "application/json",
        chunks: list[bytes] | None = None,
    ) -> Answer:
        """One exchange. ``body`` is bytes or JSON; ``chunks`` sends it in pieces."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = dict(headers or {})
        if content_type is not None and (data or chunks):
            sent.setdefault("content-type", content_type)
        scope = {**self.scope("http", target, query, sent), "method": method}
        pieces = chunks or [data]
        first = [
            {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1}
            for index, piece in enumerate(pieces)
        ]
        connection = Connection(self.app, scope, first)
        answer = await _whole(connection, "http")
        await connection.finish()
        return answer

    async def get(self, target: str, *, query: Loose = None, headers: Headers | None = None) -> Answer:
        return await self.request("GET", target, query=query, headers=headers)

    async def post(self, target: str, body: Loose, **more: Loose) -> Answer:
        return await self.request("POST", target, body, **more)

    async def put(self, target: str, body: Loose, **more: Loose) -> Answer:
        return await self.request("PUT", target, body, **more)

    async def delete(self, target: str, body: Loose = None, **more: Loose) -> Answer:
        return await self.request("DELETE", target, body, **more)

    async def merge(self, target: str, body: Loose, **more: Loose) -> Answer:
        return await self.request("PATCH", target, body, content_type="application/merge-patch+json", **more)

    @asynccontextmanager
    async def stream(
        self, method: str, target: str, body: Loose = None, *, query: Loose = None, headers: Headers | None = None
    ) -> AsyncIterator[Stream]:
        """An answer read piece by piece; leaving the block disconnects and waits for the application to notice."""
        data = b"" if body is None else json.dumps(body).encode()
        scope = {**self.scope("http", target, query, headers or {}), "method": method}
        connection = Connection(self.app, scope, [{"type": "http.request", "body": data, "more_body": False}])
        start = await connection.sent()
        assert start is not None and start["type"] == "http.response.start", start
        stream = Stream(connection, start["status"], start["headers"])
        try:
            yield stream
        finally:
            stream.disconnect()
            await connection.finish()

    @asynccontextmanager
    async def websocket(
        self, target: str, *, headers: Headers | None = None, subprotocols: tuple[str, ...] = ("plain.kubevirt.io",)
    ) -> AsyncIterator[Socket]:
        scope = {**self.scope("websocket", target, None, headers or {}), "subprotocols": list(subprotocols)}
        connection = Connection(self.app, scope, [{"type": "websocket.connect"}])
        first = await connection.sent()
        assert first is not None
        if first["type"] == "websocket.accept":
            socket = Socket(connection, first, None)
        else:
            socket = Socket(connection, None, await _whole(connection, "websocket.http", first))
        try:
            yield socket
        finally:
            socket.close()
            await connection.finish()


async def _whole(connection: Connection, prefix: str, start: Message | None = None) -> Answer:
    start = start or await connection.sent()
    if start is None:
        await connection.finish()
        raise AssertionError("the application returned without an answer")
    assert start["type"] == f"{prefix}.response.start", start
    body = b""
    while (message := await connection.sent()) is not None:
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return Answer(start["status"], start.get("headers", []), body)
