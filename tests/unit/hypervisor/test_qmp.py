"""The monitor's client against a QEMU played by the test, also a hostile one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable

import pytest

from solovirt.hypervisor import qmp as qmp_module
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.qmp import Qmp
from solovirt.kit.errors import GuestError, TimedOut, Unavailable
from solovirt.kit.json import JsonObject

GREETING = b'{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}\r\n'

Handler = Callable[[str, JsonObject, asyncio.StreamWriter], Awaitable[bytes]]


class Qemu:
    """Greets, negotiates, then answers with what ``handler`` gives ("%s" in it becomes the request's id)."""

    def __init__(self, handler: Handler, greeting: bytes = GREETING) -> None:
        self.handler = handler
        self.greeting = greeting
        self.events: list[JsonObject] = []
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    async def __aenter__(self) -> Qemu:
        self.reader, self.writer = await asyncio.open_unix_connection(sock=self.theirs)
        self.task = asyncio.create_task(self.serve())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.task.cancel()
        self.writer.close()
        await asyncio.wait({self.task})
        self.ours.close()

    async def serve(self) -> None:
        self.writer.write(self.greeting)
        try:
            while data := await self.reader.read(65536):  # one request at a time, without a line end
                request = json.loads(data)
                reply = b'{"return": {}, "id": %s}\n'
                if request["execute"] != "qmp_capabilities":
                    reply = await self.handler(request["execute"], request.get("arguments", {}), self.writer)
                self.writer.write(reply.replace(b"%s", json.dumps(request.get("id")).encode()))
        except OSError:
            pass

    async def connect(self, timeout: float = 5) -> Qmp:
        self.ours.setblocking(False)
        return await Qmp.connect(self.ours, self.events.append, timeout=timeout)


def replying(reply: bytes) -> Handler:
    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        return reply

    return handler


async def test_replies_and_errors() -> None:
    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        match name:
            case "query-status":
                return b'{"return": {"running": true, "status": "running"}, "id": %s}\n'
            case "query-uuid":
                return b'{"return": {"UUID": "ABC"}, "id": %s}\n'
            case "echo":
                return b'{"id": %s, "return": ' + json.dumps(arguments).encode() + b"}\n"
        return b'{"error": {"class": "DeviceNotFound", "desc": "no \\u001b[5m device"}, "id": %s}\n'

    async with Qemu(handler) as qemu:
        qmp = await qemu.connect()
        assert await qmp.query_status() is RunState.RUNNING
        assert await qmp.query_uuid() == "abc"
        assert await qmp.execute("echo", {"a": [1, None, "ü"]}) == {"a": [1, None, "ü"]}
        with pytest.raises(GuestError, match=r"^no \[5m device$") as caught:
            await qmp.execute("other")
        assert caught.value.reason == "DeviceNotFound"
        assert not qmp.closed.is_set()
        await qmp.disconnect()
        assert qmp.closed.is_set()
        with pytest.raises(Unavailable):
            await qmp.execute("echo")


async def test_events_come_in_order_between_replies_and_are_not_kept() -> None:
    async with Qemu(replying(b'{"event": "A"}\n{"event": "B", "data": {"x": 1}}\n{"return": 1, "id": %s}\n')) as qemu:
        qmp = await qemu.connect()
        for _ in range(50):
            await qmp.execute("x")
        assert [event["event"] for event in qemu.events] == ["A", "B"] * 50
        assert qmp._client.events.empty()
        assert qmp._client.events.history == ()
        await qmp.disconnect()


async def test_a_reply_that_is_late_is_nobodys() -> None:
    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.1 if name == "slow" else 0)
        return b'{"return": "' + name.encode() + b'", "id": %s}\n'

    async with Qemu(handler) as qemu:
        qmp = await qemu.connect()
        with pytest.raises(TimedOut, match=r"QEMU did not answer slow within 0\.05 s"):
            await qmp.execute("slow", timeout=0.05)
        assert await qmp.execute("quick") == "quick"
        await qmp.disconnect()


async def test_replies_to_a_daemon_that_died_are_nobodys() -> None:
    """QEMU was at its commands when the next one connected."""
    stale = b"".join(
        b'{"return": {"UUID": "OLD"}, "id": "__qmp#%05d"}\n{"error": {"class": "X", "desc": "y"}, "id": "%032x"}\n'
        % (n, n)
        for n in range(9)
    )

    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        return stale + b'{"return": {"UUID": "NEW"}, "id": %s}\n'

    for greeting in (GREETING + stale, stale + GREETING):
        async with Qemu(handler, greeting) as qemu:
            qmp = await qemu.connect()
            assert [await qmp.query_uuid() for _ in range(9)] == ["new"] * 9
            await qmp.disconnect()


async def test_qemu_hangs_up_during_a_command() -> None:
    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        writer.close()
        return b""

    async with Qemu(handler) as qemu:
        qmp = await qemu.connect()
        with pytest.raises(Unavailable, match="during quit"):
            await qmp.execute("quit")
        await asyncio.wait_for(qmp.closed.wait(), 60)
        await qmp.disconnect()


@pytest.mark.parametrize("greeting", [b"SSH-2.0\n", b"[]\n", b"{}\n", b'{"QMP": 5}\n', b"\xff\n"])
async def test_what_does_not_greet_as_qemu_is_refused(greeting: bytes) -> None:
    async with Qemu(replying(b""), greeting) as qemu:
        with pytest.raises(Unavailable, match="QEMU did not greet"):
            await qemu.connect()


async def test_silence_is_not_waited_for_for_ever() -> None:
    async with Qemu(replying(b""), b"") as qemu:
        with pytest.raises(TimedOut, match="did not greet"):
            await qemu.connect(timeout=0.05)


@pytest.mark.parametrize(
    "reply",
    [
        b"garbage\n",
        b"[]\n",
        b'{"return": 1, "id": []}\n',
        b'{"event": {}, "data": 5}\n' + b"[" * 100_000 + b"\n",
        b'{"error": {"class": "X", "desc": "parse"}}\n',
        b"x" * 70_000 + b"\n",
        b'{"id": %s}\n',
        b'{"id": %s, "error": 5}\n',
    ],
)
async def test_a_hostile_monitor_does_no_harm(
    reply: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(qmp_module, "REPLY_LIMIT", 32 * 1024)
    async with Qemu(replying(reply)) as qemu:
        qmp = await qemu.connect()
        with pytest.raises(Unavailable):
            await qmp.execute("x", timeout=5)
        await qmp.disconnect()
        assert qmp.closed.is_set()


@pytest.mark.parametrize("value", [b"5", b"{}", b'{"status": 5, "UUID": []}'])
async def test_nonsense_where_text_was_expected(value: bytes) -> None:
    async with Qemu(replying(b'{"id": %s, "return": ' + value + b"}\n")) as qemu:
        qmp = await qemu.connect()
        assert await qmp.query_status() is RunState.UNKNOWN
        assert await qmp.query_uuid() == ""
        await qmp.disconnect()


async def test_handing_over_a_descriptor() -> None:
    async def handler(name: str, arguments: JsonObject, writer: asyncio.StreamWriter) -> bytes:
        return b'{"return": {"fdset-id": 3}, "id": %s}\n'

    async with Qemu(handler) as qemu:
        qmp = await qemu.connect()
        read, write = os.pipe()
        received: list[int] = []

        # asyncio's streams would throw the descriptor away.
        qemu.task.cancel()
        await asyncio.wait({qemu.task})
        qemu.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asking = asyncio.create_task(qmp.hand_over(write, "add-fd", {"opaque": "x"}))
        raw = socket.socket(fileno=os.dup(qemu.writer.get_extra_info("socket").fileno()))
        text = b""
        while b"}" not in text:
            await asyncio.sleep(0.01)
            try:
                data, found, _, _ = socket.recv_fds(raw, 65536, 4)
            except BlockingIOError:
                continue
            text += data
            received += found
        request = json.loads(text)
        assert (request["execute"], request["arguments"]) == ("add-fd", {"opaque": "x"})
        raw.send(b'{"return": {"fdset-id": 3}, "id": %s}\n' % json.dumps(request["id"]).encode())
        assert await asking == {"fdset-id": 3}
        (theirs,) = received
        os.write(theirs, b"hello")
        assert os.read(read, 9) == b"hello"
        for descriptor in (read, write, theirs):
            os.close(descriptor)
        raw.close()
        await qmp.disconnect()


async def test_handing_over_without_a_connection() -> None:
    async with Qemu(replying(b'{"return": {}, "id": %s}\n')) as qemu:
        qmp = await qemu.connect()
        await qmp.disconnect()
        with pytest.raises(Unavailable):
            await qmp.hand_over(0, "getfd", {"fdname": "x"})
