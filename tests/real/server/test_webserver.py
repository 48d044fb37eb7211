"""uvicorn on a real unix socket: what kubectl and virtctl send, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.typing import Subprotocol

from solovirt.kit.errors import BadRequest
from solovirt.server import app, listening
from solovirt.server.lifetime import Lifetime
from solovirt.server.webserver import WebServer
from solovirt.store.objects import Objects
from tests.support.fakes import FakeImages, FakeOperations
from tests.unit.server.manifests import MAPS, SUB, VMS, config_map, vm

pytestmark = pytest.mark.real

PLAIN = [Subprotocol("plain.kubevirt.io")]
CONSOLE = f"ws://localhost{SUB}/virtualmachineinstances/web/console"


class Site:
    """A served API and the means to talk to it."""

    def __init__(self, path: Path, objects: Objects, operations: FakeOperations, lifetime: Lifetime) -> None:
        self.path = path
        self.objects = objects
        self.operations = operations
        self.lifetime = lifetime

    async def raw(self, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(text)
        await writer.drain()
        return reader, writer

    async def exchange(self, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """One request on its own connection; the answer with Content-Length or to the end."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        text = head.replace("\n", "\r\n") + f"\r\n{length}Connection: close\r\n\r\n"
        reader, writer = await self.raw(text.encode() + body)
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await writer.wait_closed()
        start, _, rest = answer.partition(b"\r\n\r\n")
        first, *lines = start.decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        return int(first.split()[1]), headers, rest

    async def create(self, name: str) -> None:
        body = json.dumps(config_map(name)).encode()
        code, _, answer = await self.exchange(f"POST {MAPS} HTTP/1.1\nHost: x\nContent-Type: application/json", body)
        assert code == 201, answer

    async def watch(self, query: str = "watch=true") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.raw(f"GET {MAPS}?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert b" 200 " in head and b"transfer-encoding: chunked" in head.lower()
        return reader, writer


async def line(reader: asyncio.StreamReader) -> dict[str, object]:
    """One chunk of a chunked answer, which is one JSON line."""
    size = int(await asyncio.wait_for(reader.readline(), 60), 16)
    data = await reader.readexactly(size + 2)
    found: dict[str, object] = json.loads(data)
    return found


@pytest.fixture
async def site(folder: Path) -> AsyncIterator[Site]:
    objects, operations, lifetime = Objects.open(folder / "db"), FakeOperations(), Lifetime()
    server = WebServer(app.build(objects, operations, FakeImages(), lifetime=lifetime))
    serving = asyncio.create_task(server.run_on([listening.listen(folder / "s")]))
    yield Site(folder / "s", objects, operations, lifetime)
    lifetime.end()
    server.stop()
    await asyncio.wait_for(serving, 60)
    await objects.close()


KUBECTL = """Host: localhost
User-Agent: kubectl/v1.37.1 (linux/amd64) kubernetes/abc
Kubectl-Command: kubectl get
Kubectl-Session: 0f6ba7c7-0000-4000-8000-000000000000
Accept-Encoding: gzip
Authorization: Bearer x"""


async def test_kubectl_get(site: Site) -> None:
    accept = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io"
    code, headers, body = await site.exchange(f"GET {VMS}?limit=500 HTTP/1.1\n{KUBECTL}\n{accept},application/json")
    assert (code, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["kind"] == "Table"


async def test_kubectl_apply(site: Site) -> None:
    code, _, body = await site.exchange(f"GET {VMS}/web HTTP/1.1\n{KUBECTL}\nAccept: application/json")
    assert (code, json.loads(body)["reason"]) == (404, "NotFound")
    query = "fieldManager=kubectl-client-side-apply&fieldValidation=Strict"
    code, _, body = await site.exchange(
        f"POST {VMS}?{query} HTTP/1.1\n{KUBECTL}\nContent-Type: application/json", json.dumps(vm()).encode()
    )
    assert code == 201, body
    patch = b'{"spec":{"runStrategy":"Always"}}'
    head = f"PATCH {VMS}/web?{query} HTTP/1.1\n{KUBECTL}\nContent-Type: application/merge-patch+json"
    code, _, body = await site.exchange(head, patch)
    assert (code, json.loads(body)["spec"]["runStrategy"]) == (200, "Always")
    head = f"DELETE {VMS}/web HTTP/1.1\n{KUBECTL}\nContent-Type: application/json"
    code, _, body = await site.exchange(head, b'{"propagationPolicy":"Background"}')
    assert (code, json.loads(body)["status"]) == (200, "Success")


async def test_virtctl_start(site: Site) -> None:
    """No Content-Type at all, and none comes back."""
    head = f"PUT {SUB}/virtualmachines/web/start HTTP/1.1\nHost: x\nAccept: application/json, */*"
    code, headers, body = await site.exchange(head, b"{}")
    assert (code, body, "content-type" in headers) == (202, b"", False)
    assert site.operations.calls[0][0] == "start"


async def test_an_escaped_path(site: Site) -> None:
    code, _, body = await site.exchange(f"GET {MAPS}/..%2f..%2fsecrets HTTP/1.1\nHost: x")
    assert (code, body) == (404, b"404 page not found\n")


async def test_too_large(site: Site) -> None:
    head = f"POST {MAPS} HTTP/1.1\nHost: x\nContent-Length: 999999999"
    reader, writer = await site.raw(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 60)
    writer.close()


async def test_not_http(site: Site) -> None:
    reader, writer = await site.raw(b"\x16\x03\x01 garbage\r\n\r\n")
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 60)
    writer.close()


async def test_watch(site: Site) -> None:
    reader, writer = await site.watch()
    await site.create("a")
    assert (await line(reader))["type"] == "ADDED"
    writer.close()
    await writer.wait_closed()


async def test_the_end_of_a_watch_keeps_the_connection(site: Site) -> None:
    reader, writer = await site.watch("watch=true&timeoutSeconds=1")
    assert await asyncio.wait_for(reader.readline(), 60) == b"0\r\n"
    await reader.readline()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 60)
    writer.close()


async def test_a_watcher_that_leaves_is_forgotten(site: Site) -> None:
    _, writer = await site.watch()
    watchers = site.objects._ledger.hub._watches
    assert len(watchers) == 1
    writer.close()
    async with asyncio.timeout(60):
        while watchers:
            await asyncio.sleep(0.01)


async def test_a_slow_watcher_holds_nobody_up(site: Site) -> None:
    """It reads nothing: others go on, and it is sent away in the end instead of growing the daemon."""
    site.objects._ledger.hub.max_queue = 20
    slow, slow_writer = await site.watch()
    quick, quick_writer = await site.watch()
    names = [f"m{index}" for index in range(60)]
    filler = {"data": {"x": "y" * 200_000}}
    for name in names:
        body = json.dumps({**config_map(name), **filler}).encode()
        code, _, _ = await site.exchange(f"POST {MAPS} HTTP/1.1\nHost: x\nContent-Type: application/json", body)
        assert code == 201
        assert (await line(quick))["type"] == "ADDED"
    assert len(site.objects._ledger.hub._watches) == 1
    last: dict[str, object] = {}
    with contextlib.suppress(ValueError):
        while True:
            last = await line(slow)
    assert last["type"] == "ERROR"
    for writer in (slow_writer, quick_writer):
        writer.close()


@pytest.mark.parametrize("version", ["v1", "v1alpha3"])
async def test_console(site: Site, version: str) -> None:
    url = CONSOLE.replace("/v1/", f"/{version}/")
    async with unix_connect(str(site.path), url, subprotocols=PLAIN, compression=None) as console:
        assert console.subprotocol == PLAIN[0]
        await console.send(b"abc\x00")
        assert await asyncio.wait_for(console.recv(), 60) == b"ABC\x00"
        await console.send("text is ignored")
        site.operations.consoles[0].output.put_nowait(b"z" * 25_000)
        sizes = [len(await asyncio.wait_for(console.recv(), 60)) for _ in range(3)]
        assert sizes == [10240, 10240, 4520]
    async with asyncio.timeout(60):
        while not site.operations.consoles[0].closed:
            await asyncio.sleep(0.01)


async def test_the_guest_ends_the_console(site: Site) -> None:
    async with unix_connect(str(site.path), CONSOLE, subprotocols=PLAIN, compression=None) as console:
        site.operations.consoles[0].end()
        with pytest.raises(ConnectionClosedOK):
            await asyncio.wait_for(console.recv(), 60)
        assert console.close_code == 1000


async def test_console_refusals_are_statuses(site: Site) -> None:
    site.operations.failure = BadRequest("VMI is not running")
    with pytest.raises(InvalidStatus) as caught:
        await unix_connect(str(site.path), CONSOLE, subprotocols=PLAIN)
    answer = caught.value.response
    assert answer.status_code == 400
    assert json.loads(bytes(answer.body or b""))["message"] == "VMI is not running"
    assert answer.headers["content-type"] == "application/json"


async def test_web_pages_get_no_console(site: Site) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await unix_connect(str(site.path), CONSOLE, origin="https://evil.example")  # type: ignore[arg-type]
    assert caught.value.response.status_code == 403
    assert site.operations.calls == []


async def test_stopping_ends_what_has_no_end(folder: Path) -> None:
    objects, lifetime = Objects.open(folder / "db"), Lifetime()
    operations = FakeOperations()
    server = WebServer(app.build(objects, operations, FakeImages(), lifetime=lifetime))
    serving = asyncio.create_task(server.run_on([listening.listen(folder / "s")]))
    site = Site(folder / "s", objects, operations, lifetime)
    reader, writer = await site.watch()
    async with unix_connect(str(site.path), CONSOLE, subprotocols=PLAIN) as console:
        lifetime.end()
        server.stop()
        assert await asyncio.wait_for(reader.read(), 60) == b"0\r\n\r\n"
        await asyncio.wait_for(console.wait_closed(), 60)
        await asyncio.wait_for(serving, 60)
    writer.close()
    await objects.close()
