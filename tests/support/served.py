"""The real API on a TCP port of loopback, in a thread of the test: what remote clients see.

With TLS, with a token or a client certificate if asked for, and without solovirt's extensions as on another server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from solovirt.server import app
from solovirt.server.lifetime import Lifetime
from solovirt.store.objects import Objects
from tests.support.fakes import FakeImages, FakeOperations

OURS = "/apis/subresources.solovirt.io/"


@dataclass(frozen=True)
class Certificates:
    """PEM files of one CA; the server's is for 127.0.0.1."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def certificates(folder: Path) -> Certificates:
    """Made by the openssl program."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=test CA")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "extensions")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *sign)
    return Certificates(*(folder / n for n in ("ca.pem", "server.pem", "server.key", "client.pem", "client.key")))


class Gate:
    """Refuses requests without the token, and knows nothing of solovirt's own paths if so asked."""

    def __init__(self, inner: ASGIApp, token: str, *, extensions: bool) -> None:
        self._inner, self._token, self._extensions = inner, token, extensions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", []))
        if self._token and headers.get(b"authorization") != f"Bearer {self._token}".encode():
            body = {"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "Unauthorized"}
            await _answer(Response(json.dumps(body), 401, media_type="application/json"), scope, receive, send)
        elif not self._extensions and scope["path"].startswith(OURS):
            await _answer(PlainTextResponse("404 page not found\n", 404), scope, receive, send)
        else:
            await self._inner(scope, receive, send)


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


class Served:
    """``operations`` belong to the server's thread: change them through ``do``."""

    def __init__(self, url: str, operations: FakeOperations, loop: asyncio.AbstractEventLoop) -> None:
        self.url, self.operations, self._loop = url, operations, loop
        self.stopping, self.stopped = threading.Event(), threading.Event()

    def end(self) -> None:
        """Stop serving, as a daemon that is stopped does."""
        self.stopping.set()
        assert self.stopped.wait(20)

    def do(self, change: Callable[[], None]) -> None:
        """Run it in the server's thread, and wait for it."""
        done = threading.Event()

        def run() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)


@contextlib.contextmanager
def serving(
    made: Certificates | None = None, *, token: str = "", client_certificate: bool = False, extensions: bool = True
) -> Iterator[Served]:
    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    try:
        yield from _serving(folder, made, token, client_certificate, extensions)
    finally:
        shutil.rmtree(folder)


def _serving(
    folder: Path, made: Certificates | None, token: str, client_certificate: bool, extensions: bool
) -> Iterator[Served]:
    operations, lifetime = FakeOperations(), Lifetime()
    ready: list[Served] = []
    started = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    async def serve() -> None:
        objects = Objects.open(folder / "db")
        gate = Gate(app.build(objects, operations, FakeImages(), lifetime=lifetime), token, extensions=extensions)
        config = uvicorn.Config(gate, ws="websockets-sansio", lifespan="off", log_config=None, access_log=False)
        if made is not None:
            config.ssl_certfile, config.ssl_keyfile = made.server, made.server_key
            config.ssl_ca_certs = str(made.ca) if client_certificate else None
            config.ssl_cert_reqs = ssl.CERT_REQUIRED if client_certificate else ssl.CERT_NONE
        config.timeout_graceful_shutdown = 2
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        scheme = "https" if made else "http"
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        found = Served(url, operations, asyncio.get_running_loop())
        ready.append(found)
        started.set()
        await asyncio.to_thread(found.stopping.wait)
        lifetime.end()
        server.should_exit = True
        await task
        await objects.close()
        found.stopped.set()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(20)
        yield ready[0]
    finally:
        for found in ready:
            found.stopping.set()
        thread.join(60)
        listener.close()
        assert not thread.is_alive()
