"""A machine for code that talks to its monitor: it answers from a table, and writes into what it is handed."""

from __future__ import annotations

import os
from collections.abc import Callable

from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.resets import Resets
from solovirt.kit.json import Json, JsonObject


def _arguments(name: str, **types: str) -> JsonObject:
    return {"name": name, "meta-type": "object", "members": [{"name": k, "type": t} for k, t in types.items()]}


SCHEMA: list[Json] = [
    {"name": "screendump", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
    _arguments("1", filename="str", format="2"),
    {"name": "2", "meta-type": "enum", "values": ["ppm", "png"]},
    {"name": "dump-guest-memory", "meta-type": "command", "arg-type": "3", "ret-type": "0"},
    _arguments("3", paging="bool", format="4"),
    {"name": "4", "meta-type": "enum", "values": ["elf", "kdump-zlib"]},
    {"name": "rtc-reset-reinjection", "meta-type": "command", "arg-type": "0", "ret-type": "0"},
    _arguments("0"),
]

Reply = Json | Exception | Callable[[JsonObject], Json]


class FakeQemu:
    """``replies`` by command: a value, an error to raise, or a function of the arguments; {} to all others."""

    def __init__(self) -> None:
        self.uid = "uid"
        self.has_exited = False
        self.run_state = RunState.RUNNING
        self.happenings = Happenings()
        self.resets = Resets()
        self.calls: list[tuple[str, JsonObject]] = []
        self.replies: dict[str, Reply] = {"query-qmp-schema": list(SCHEMA)}
        self.handed: dict[str, int] = {}
        """Descriptors of QEMU's own, as it sees them."""
        self.expected: list[RunState | None] = []

    @property
    def commands(self) -> list[str]:
        return [name for name, _ in self.calls]

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json:
        self.calls.append((command, arguments or {}))
        if command == "remove-fd":
            os.close(self.handed.pop(str((arguments or {})["fdset-id"])))
        reply = self.replies.get(command, {})
        if isinstance(reply, Exception):
            raise reply
        return reply(arguments or {}) if callable(reply) else reply

    async def getfd(self, name: str, descriptor: int) -> None:
        self.handed[name] = os.dup(descriptor)

    async def add_fd(self, descriptor: int, number: int) -> None:
        assert os.get_inheritable(descriptor) is False
        self.handed[str(number)] = os.dup(descriptor)

    def expect_stop(self, state: RunState | None) -> None:
        self.expected.append(state)

    def write(self, name: str, data: bytes) -> None:
        """What QEMU does with a descriptor: all of it, then it closes it."""
        descriptor = self.handed.pop(name)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def close(self) -> None:
        while self.handed:
            os.close(self.handed.popitem()[1])
