"""The guest agent: round trips and copies through a bare socket, the client in this process, and the API.

One guest for all three. QEMU serves one client of the agent at a time, so the daemon is away while the others are
measured; it finds the guest again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.harness import VMI, Daemon, Measure, connect, daemon, median_ms, vm, wait_until
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_files import READ_CHUNK, WRITE_CHUNK
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

PINGS, EXECS, COPIES = 300, 40, 3
SIZE = 6 << 20
NAME = "agent"
EXTENSIONS = f"/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/{NAME}"
TRUE = "/bin/true"
THERE = "/tmp/bench"


class Bare:
    """The shortest script that talks to the agent: a socket, a line out, a line in."""

    def __init__(self, path: Path) -> None:
        self._socket = connect(path)
        self._stream = self._socket.makefile("rb", buffering=1 << 20)
        self._socket.sendall(b'\xff{"execute":"guest-sync-delimited","arguments":{"id":7}}\n')
        while b"\xff" not in (line := self._stream.readline()) or b"7" not in line.rpartition(b"\xff")[2]:
            pass

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def call(self, command: str, arguments: JsonObject | None = None) -> Json:
        request: JsonObject = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(self._stream.readline())
        return reply["return"]  # type: ignore[no-any-return]

    def ping(self) -> None:
        self.call("guest-ping")

    def execute(self) -> None:
        started = self.call("guest-exec", {"path": TRUE, "capture-output": True})
        assert isinstance(started, dict)
        while True:
            status = self.call("guest-exec-status", {"pid": started["pid"]})
            if isinstance(status, dict) and status["exited"]:
                return

    def put(self, data: bytes) -> None:
        handle = self.call("guest-file-open", {"path": THERE, "mode": "w"})
        for start in range(0, len(data), WRITE_CHUNK):
            piece = base64.b64encode(data[start : start + WRITE_CHUNK]).decode()
            self.call("guest-file-write", {"handle": handle, "buf-b64": piece})
        self.call("guest-file-close", {"handle": handle})

    def get(self) -> bytes:
        handle = self.call("guest-file-open", {"path": THERE, "mode": "r"})
        found = b""
        while True:
            reply = self.call("guest-file-read", {"handle": handle, "count": READ_CHUNK})
            assert isinstance(reply, dict)
            found += base64.b64decode(get_str(reply, "buf-b64"))
            if reply["eof"]:
                self.call("guest-file-close", {"handle": handle})
                return found


def run() -> list[Measure]:
    data = os.urandom(SIZE)
    with daemon() as running:
        running.apply(vm(NAME, strategy="Always"))
        wait_until(lambda: running.phase(NAME) == "Running", 60, 0.2)
        wait_until(lambda: _connected(running), 120, 0.2)
        time.sleep(12)  # the questions that follow a boot
        uid = get_str(get_object(running.client.get(f"{VMI}/{NAME}"), "metadata"), "uid")
        path = running.runtime / "vmi" / uid / "agent.sock"
        api = _over_api(running, data)
        assert running.process is not None
        running.process.terminate()
        running.process.wait(30)
        bare = _measured_bare(path, data)
        client = asyncio.run(_in_process(path))
        again = _measured_bare(path, data)
        running.start()
    best = {key: min(bare[key], again[key]) for key in bare}
    rates = {key: SIZE / (1 << 20) / seconds for key, seconds in best.items() if key in ("put", "get")}
    return [
        Measure("guest-ping, client in process", client["ping"], "ms", best["ping"]),
        Measure("guest-ping over the API", api["ping"], "ms", best["ping"]),
        Measure("guest-exec /bin/true, client in process", client["exec"], "ms", best["exec"]),
        Measure("guest-exec /bin/true over the API", api["exec"], "ms", best["exec"]),
        Measure("guest-exec, streamed, over the API", api["stream"], "ms", best["exec"]),
        Measure("copy into the guest over the API", SIZE / (1 << 20) / api["put"], "MiB/s", rates["put"], "verified"),
        Measure("copy out of the guest over the API", SIZE / (1 << 20) / api["get"], "MiB/s", rates["get"], "verified"),
    ]


def _connected(running: Daemon) -> bool:
    conditions = get_list(get_object(running.client.get(f"{VMI}/{NAME}"), "status"), "conditions")
    return any(get_str(c, "type") == "AgentConnected" for c in conditions if isinstance(c, dict))


def _over_api(running: Daemon, data: bytes) -> dict[str, float]:
    client = running.client
    command: list[Json] = [TRUE]

    def put() -> None:
        query = {"path": THERE, "mode": "0644"}
        client.open("PUT", f"{EXTENSIONS}/files", query, upload=[data], upload_size=len(data)).read()

    def get() -> None:
        if client.open("GET", f"{EXTENSIONS}/files", {"path": THERE}).read() != data:
            raise RuntimeError("what came back is not what was sent")

    return {
        "ping": _ms(lambda: client.call("POST", f"{EXTENSIONS}/agent", None, {"command": "guest-ping"}), PINGS),
        "exec": _ms(lambda: client.call("POST", f"{EXTENSIONS}/exec", None, {"command": command}), EXECS),
        "stream": _ms(
            lambda: list(client.stream("POST", f"{EXTENSIONS}/exec/stream", None, {"command": command})), EXECS
        ),
        "put": _seconds(put),
        "get": _seconds(get),
    }


def _measured_bare(path: Path, data: bytes) -> dict[str, float]:
    bare = Bare(path)
    try:
        return {
            "ping": _ms(bare.ping, PINGS),
            "exec": _ms(bare.execute, EXECS),
            "put": _seconds(lambda: bare.put(data)),
            "get": _seconds(bare.get),
        }
    finally:
        bare.close()


async def _in_process(path: Path) -> dict[str, float]:
    def connected() -> socket.socket:
        made = connect(path)
        made.setblocking(False)
        return made

    agent = GuestAgent(connected)
    agent.set_connected(True)
    try:
        await agent.ping()
        pings, execs = [], []
        for _ in range(PINGS):
            began = time.perf_counter()
            await agent.ping()
            pings.append(time.perf_counter() - began)
        for _ in range(EXECS):
            began = time.perf_counter()
            await agent.execute(TRUE)
            execs.append(time.perf_counter() - began)
        return {"ping": median_ms(pings), "exec": median_ms(execs)}
    finally:
        agent.close()


def _ms(work: Callable[[], object], times: int) -> float:
    return statistics.median(_took(work) for _ in range(times)) * 1000


def _seconds(work: Callable[[], object]) -> float:
    return statistics.median(_took(work) for _ in range(COPIES))


def _took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
