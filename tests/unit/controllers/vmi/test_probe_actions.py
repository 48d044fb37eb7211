from __future__ import annotations

import asyncio
import socket
import threading
from typing import cast

import pytest

from solovirt.api.kubevirt.spec.probes import HTTPGetAction, HTTPHeader, Probe, TCPSocketAction
from solovirt.controllers.vmi import probe_actions
from solovirt.controllers.vmi.probe_actions import Reach, Target
from solovirt.hypervisor.instance import Instance

NOBODY = cast(Instance, None)


def target(address: str = "127.0.0.1") -> Target:
    return Target(NOBODY, Reach(address), {"web": 80})


class Server:
    """Answers every connection with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.got = b""

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *details: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                self.got += await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.write(self.answer)
        writer.close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "HTTP probe failed with statuscode: 500"),
        (b"SSH-2.0-\x1b[31mx\r\n", 'no HTTP answer: "SSH-2.0-[31mx"'),
        (b"", "connection closed without an answer"),
        (b"x" * 20000, "Separator is found, but chunk is longer than limit"),
    ],
)
async def test_http(answer: bytes, problem: str) -> None:
    server = Server(answer)
    async with server as port:
        found = await probe_actions.attempt(Probe(http_get=HTTPGetAction(port=port), timeout_seconds=5), target())
    assert (found == "") is (problem == "")
    if answer[:1] != b"x":
        assert found == problem


async def test_tcp() -> None:
    async with Server(b"") as port:
        assert await probe_actions.attempt(Probe(tcp_socket=TCPSocketAction(port=port)), target()) == ""
        host = TCPSocketAction(port=port, host="127.0.0.1")
        assert await probe_actions.attempt(Probe(tcp_socket=host), target("")) == "", "a host of its own"
    assert "refused" in await probe_actions.attempt(Probe(tcp_socket=TCPSocketAction(port=port)), target())
    text = "the guest's address is not known"
    assert text in await probe_actions.attempt(Probe(tcp_socket=TCPSocketAction(port=1)), target(""))


async def test_a_mute_name_server_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: answer.wait(10) and [])
    probe = Probe(tcp_socket=TCPSocketAction(port=80, host="mute.example"))
    attempts = [asyncio.create_task(probe_actions.attempt(probe, target())) for _ in range(40)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "done") == "done"
    assert set(await asyncio.gather(*attempts)) == {"no success within 1 s"}
    answer.set()


def test_the_request() -> None:
    action = HTTPGetAction(
        port=80,
        path="a b",
        http_headers=[HTTPHeader(name="host", value="example.com"), HTTPHeader(name="Connection", value="keep-alive")],
    )
    assert probe_actions.request(action, "10.0.2.2:80") == (
        b"GET /a%20b HTTP/1.1\r\nhost: example.com\r\nUser-Agent: kube-probe/solovirt\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert b"\r\nHost: 10.0.2.2:80\r\n" in probe_actions.request(HTTPGetAction(port=80), "10.0.2.2:80")


def test_ports_by_name() -> None:
    assert probe_actions.port_of(target(), "web") == 80
    assert probe_actions.port_of(target(), "8080") == 8080
