"""One attempt of a probe: a ping of the agent, a program in the guest, a TCP connection, an HTTP request.

Source: Kubernetes pkg/probe, kubevirt cmd/virt-probe. Whatever a guest answers is bounded and made printable. Must not
know how often probes run nor what follows from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from solovirt.api.kubevirt.spec.probes import HTTPGetAction, Probe, TCPSocketAction
from solovirt.hypervisor import forward
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.text import printable

_LINE_LIMIT = 8192
_SHOWN = 256
_LOOK_AGAIN = 0.02
REFUSED = "connection refused"
_RESOLVERS = ThreadPoolExecutor(2, thread_name_prefix="probe-names")
"""Names of ``host`` are looked up here: a mute name server must not take the threads that all else needs."""
USER_AGENT = "kube-probe/solovirt"


@dataclass(frozen=True, slots=True)
class Reach:
    """How to get to the guest: by QEMU's user network ``netdev``, or, when that is empty, straight to ``address``."""

    address: str = ""
    netdev: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """``ports`` are the named ones of the interfaces."""

    instance: Instance
    reach: Reach
    ports: Mapping[str, int]


async def attempt(probe: Probe, target: Target) -> str:
    """What is wrong; "" when nothing is. Takes at most the probe's timeout."""
    seconds = float(probe.timeout_seconds or 1)
    try:
        async with asyncio.timeout(seconds):
            return await _attempt(probe, target, seconds)
    except TimeoutError:
        return f"no success within {seconds:g} s"
    except ConnectionRefusedError:
        return REFUSED
    except (SolovirtError, OSError, ssl.SSLError, EOFError, ValueError) as error:
        return printable(str(error) or type(error).__name__, _SHOWN)


async def _attempt(probe: Probe, target: Target, seconds: float) -> str:
    if probe.exec is not None:
        return await _exec(probe.exec.command, target, seconds)
    if probe.tcp_socket is not None:
        return await _tcp(probe.tcp_socket, target)
    if probe.http_get is not None:
        return await _http(probe.http_get, target)
    await target.instance.agent.ping(timeout=seconds)
    return ""


async def _exec(command: list[str], target: Target, seconds: float) -> str:
    result = await target.instance.agent.execute(command[0], command[1:], timeout=seconds)
    if result.exit_code == 0:
        return ""
    ended = f"exit code {result.exit_code}" if result.signal is None else f"signal {result.signal}"
    said = (result.stderr or result.stdout)[: _SHOWN * 4].decode("utf-8", "replace").strip()
    return printable(f"{command[0]}: {ended}" + (f": {said}" if said else ""), _SHOWN)


def port_of(target: Target, port: int | str) -> int:
    """Raises ``GuestError`` for a name that no interface's port has."""
    if isinstance(port, int):
        return port
    if port in target.ports:
        return target.ports[port]
    if port.isdigit() and 1 <= int(port) <= 65535:
        return int(port)
    raise GuestError(f'no interface has a port named "{printable(port, 64)}"', reason="UnknownPort")


@asynccontextmanager
async def _way(action: TCPSocketAction | HTTPGetAction, target: Target) -> AsyncIterator[tuple[str, int, str]]:
    """(address, port, netdev) to connect to; ``netdev`` is "" when it is the guest itself, or another host."""
    port, reach = port_of(target, action.port), target.reach
    if action.host:
        yield await _address(action.host, port), port, ""
    elif reach.netdev:
        way = forward.open_port(target.instance, reach.netdev, reach.address, port, target.instance.forwarding)
        async with way as local:
            yield forward.LOOPBACK, local, reach.netdev
    elif reach.address:
        yield reach.address, port, ""
    else:
        raise GuestError("the guest's address is not known: its agent has not told it", reason="AddressUnknown")


async def _address(host: str, port: int) -> str:
    """The first address of a host. Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_RESOLVERS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return str(found[0][4][0])


async def _tcp(action: TCPSocketAction, target: Target) -> str:
    async with _way(action, target) as (address, port, netdev):
        reader, writer = await asyncio.open_connection(address, port, limit=_LINE_LIMIT)
        try:
            return await _accepted(target, netdev, port, reader) if netdev else ""
        finally:
            await _close(writer)


async def _accepted(target: Target, netdev: str, local: int, reader: asyncio.StreamReader) -> str:
    """QEMU accepts before the guest does, so only its table of connections tells."""
    closed = asyncio.create_task(reader.read(1))
    try:
        while True:
            ended = closed.done()
            state = await forward.connection_state(target.instance, netdev, local)
            if state in forward.ACCEPTED:
                return ""
            if ended and not state:
                return REFUSED
            await asyncio.sleep(_LOOK_AGAIN)
    finally:
        closed.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await closed


async def _http(action: HTTPGetAction, target: Target) -> str:
    async with _way(action, target) as (address, port, netdev):
        context = _insecure() if action.scheme == "HTTPS" else None
        name = (action.host or address) if context is not None else None
        reader, writer = await asyncio.open_connection(
            address, port, ssl=context, server_hostname=name, limit=_LINE_LIMIT
        )
        try:
            named = target.reach.address if netdev else action.host or address
            host = f"{named}:{port_of(target, action.port)}"
            writer.write(request(action, host))
            await writer.drain()
            status = _status(await reader.readline())
        finally:
            await _close(writer)
    return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"


def request(action: HTTPGetAction, host: str) -> bytes:
    """The GET request, with Kubernetes' headers where the manifest has none of its own."""
    headers = [(header.name, header.value) for header in action.http_headers]
    given = {name.lower() for name, _ in headers}
    for name, value in (("Host", host), ("User-Agent", USER_AGENT), ("Accept", "*/*")):
        if name.lower() not in given:
            headers.append((name, value))
    headers = [*((name, value) for name, value in headers if name.lower() != "connection"), ("Connection", "close")]
    path = action.path if action.path.startswith("/") else "/" + action.path
    lines = [f"GET {path.replace(' ', '%20')} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _status(line: bytes) -> int:
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit() or len(words[1]) != 3:
        what = printable(line[:64].decode("latin-1").strip(), 64)
        raise GuestError(
            f'no HTTP answer: "{what}"' if line else "connection closed without an answer", reason="NoHTTP"
        )
    return int(words[1])


def _insecure() -> ssl.SSLContext:
    """As the kubelet: a probe asks whether it answers, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
