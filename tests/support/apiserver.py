"""A stand-in API server for the CLI's unit tests: canned answers on a unix socket, every request recorded."""

from __future__ import annotations

import contextlib
import json
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from solovirt.kit.jsontypes import Json, JsonObject


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json


@dataclass
class Answer:
    """A body that is a list of objects is sent as JSON lines, chunked, as a watch is."""

    body: Json | bytes = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Answer]


class FakeApi:
    """``answers[(method, path)]`` is an Answer, a list of them for one call after the other, or a function."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.requests: list[Request] = []
        self.answers: dict[tuple[str, str], Answer | list[Answer] | Handler] = {}

    def on(self, method: str, path: str, *answers: Answer | Handler) -> None:
        first = answers[0]
        self.answers[(method, path)] = [a for a in answers if isinstance(a, Answer)] if len(answers) > 1 else first

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        found = self.answers.get((request.method, request.path))
        if found is None:
            return status(404, "NotFound", f"{request.path} not found")
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found if isinstance(found, Answer) else found(request)


def status(code: int, reason: str, message: str, causes: list[Json] | None = None) -> Answer:
    body: JsonObject = {"kind": "Status", "code": code, "reason": reason, "message": message}
    if causes:
        body["details"] = {"causes": causes}
    return Answer(body, code)


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        body: Json = json.loads(data) if data else None
        headers = {k.lower(): v for k, v in self.headers.items()}
        request = Request(self.command, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            # A client may leave as soon as it has seen enough of a watch.
            self._send(self.server.api.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, list):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in answer.body:
                data = json.dumps(line).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        data = b"" if answer.body is None else data
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    api: FakeApi


@contextmanager
def serving() -> Iterator[FakeApi]:
    folder = tempfile.mkdtemp(prefix="sv-", dir="/tmp")
    path = Path(folder) / "api.sock"
    try:
        with _Server(str(path), _Http) as server:
            server.api = FakeApi(path)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield server.api
            finally:
                server.shutdown()
                thread.join()
    finally:
        shutil.rmtree(folder)
