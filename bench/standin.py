"""A program in QEMU's place: its sockets with a monitor and a guest agent behind them, and no machine.

For measurements of the daemon alone, which cannot tell the difference: it is started with QEMU's arguments, answers
what a running Linux guest with an agent would, and costs next to nothing. Standard library only: any user runs it.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import sys
import time
from typing import Any

Message = dict[str, Any]

AGENT = "org.qemu.guest_agent.0"
COMMANDS = (
    "guest-ping",
    "guest-info",
    "guest-get-osinfo",
    "guest-network-get-interfaces",
    "guest-fsfreeze-status",
    "guest-get-fsinfo",
    "guest-get-time",
    "guest-exec",
    "guest-exec-status",
    "guest-get-host-name",
    "guest-get-timezone",
    "guest-get-users",
)


class Machine:
    def __init__(self, argv: list[str]) -> None:
        self.uuid = argv[argv.index("-uuid") + 1]
        devices = [json.loads(word) for word in argv if word.startswith("{")]
        self.mac = next((d["mac"] for d in devices if "mac" in d), "02:00:00:00:00:01")
        self.disks = [d["id"] for d in devices if str(d.get("driver", "")).startswith("virtio-blk")]
        self.running = False
        self.began = time.time()

    def monitor(self, message: Message) -> Message:
        if message["execute"] in ("cont", "stop"):
            self.running = message["execute"] == "cont"
        return {"return": self._reply(message["execute"], message.get("arguments") or {}), "id": message.get("id")}

    def _reply(self, command: str, arguments: Message) -> object:
        stats = {"rd_operations": 100, "rd_bytes": 1 << 20, "wr_operations": 5, "wr_bytes": 4096}
        replies: Message = {
            "query-uuid": {"UUID": self.uuid},
            "query-status": {"status": "running" if self.running else "prelaunch", "running": self.running},
            "qom-list": [{"name": "channel0", "type": "child<virtserialport>"}],
            "query-chardev": [{"label": "charchannel0", "filename": CHANNEL, "frontend-open": True}],
            "query-cpus-fast": [{"cpu-index": 0, "thread-id": os.getpid(), "props": {}, "qom-path": "/machine/cpu[0]"}],
            "query-memory-size-summary": {"base-memory": 32 << 20, "plugged-memory": 0},
            "query-balloon": {"actual": 32 << 20},
            "query-blockstats": [{"qdev": f"/machine/peripheral/{disk}", "stats": stats} for disk in self.disks],
        }
        if command == "qom-get":
            if arguments.get("property") == "guest-stats":
                memory = {"stat-total-memory": 30 << 20, "stat-available-memory": 20 << 20}
                return {"stats": memory, "last-update": int(time.time())}
            return AGENT
        return replies.get(command, {})

    def agent(self, message: Message) -> Message:
        counted = {f"{way}-{what}": 1000 for way in ("rx", "tx") for what in ("bytes", "packets", "errs", "dropped")}
        address = {"ip-address": "10.0.2.2", "ip-address-type": "ipv4", "prefix": 24}
        nic = {"name": "eth0", "hardware-address": self.mac, "ip-addresses": [address], "statistics": counted}
        known = [{"name": name, "enabled": True, "success-response": True} for name in COMMANDS]
        replies: Message = {
            "guest-info": {"version": "7.2.0", "supported_commands": known},
            "guest-get-osinfo": {"id": "debian", "name": "Debian GNU/Linux", "version-id": "12", "machine": "x86_64"},
            "guest-network-get-interfaces": [nic],
            "guest-fsfreeze-status": "thawed",
            "guest-get-fsinfo": [],
        }
        command = message["execute"]
        if command.startswith("guest-sync"):
            return {"return": message["arguments"]["id"]}
        if command in replies or command in COMMANDS:
            return {"return": replies.get(command, {})}
        return {"error": {"class": "CommandNotFound", "desc": f"The command {command} has not been found"}}


CHANNEL = ""


def serve(machine: Machine, paths: dict[str, str]) -> None:
    waiting = selectors.DefaultSelector()
    for name, path in paths.items():
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        listening.listen(4)
        waiting.register(listening, selectors.EVENT_READ, (name, None))
    while True:
        for key, _ in waiting.select():
            name, pending = key.data
            ready = key.fileobj
            assert isinstance(ready, socket.socket)
            if pending is None:
                accepted = ready.accept()[0]
                waiting.register(accepted, selectors.EVENT_READ, (name, bytearray()))
                if name == "charmonitor":
                    version = {"qemu": {"major": 7, "minor": 2, "micro": 0}}
                    accepted.sendall(json.dumps({"QMP": {"version": version, "capabilities": []}}).encode() + b"\r\n")
                continue
            data = ready.recv(65536)
            if not data:
                waiting.unregister(ready)
                ready.close()
                continue
            pending += data
            if answer(machine, name, pending, ready):
                return


def answer(machine: Machine, name: str, pending: bytearray, connection: socket.socket) -> bool:
    """True after ``quit``."""
    decoder = json.JSONDecoder()
    while text := bytes(pending).replace(b"\xff", b" ").lstrip():
        try:
            message, end = decoder.raw_decode(text.decode())
        except ValueError:
            return False
        pending[:] = text[end:]
        if name == "charmonitor":
            connection.sendall(json.dumps(machine.monitor(message)).encode() + b"\r\n")
            if message["execute"] == "quit":
                return True
        elif name == "charchannel0":
            delimited = b"\xff" if message["execute"] == "guest-sync-delimited" else b""
            connection.sendall(delimited + json.dumps(machine.agent(message)).encode() + b"\n")
    return False


if __name__ == "__main__":
    sockets = dict(re.findall(r"id=(\w+),path=([^,]+),server=on", "\n".join(sys.argv)))
    CHANNEL = f"unix:{sockets['charchannel0']},server=on"
    serve(Machine(sys.argv), sockets)
