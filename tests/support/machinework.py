"""Stand-ins for machines and their memory; see ``fakes.FakeOperations``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from solovirt.controllers.memory_stream import MemoryStream
from solovirt.kit.errors import SolovirtError
from solovirt.kit.json import Json, JsonObject

PICTURE = b"\x89PNG\r\n\x1a\nrest"


class FakeMachine:
    """``note`` records a call and raises what is to be raised."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    async def pause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        self._note("pause", namespace, name, dry_run=dry_run)

    async def unpause(self, namespace: str, name: str, *, dry_run: bool = False) -> None:
        self._note("unpause", namespace, name, dry_run=dry_run)

    async def soft_reboot(self, namespace: str, name: str) -> None:
        self._note("softreboot", namespace, name)

    async def reset(self, namespace: str, name: str) -> None:
        self._note("reset", namespace, name)

    async def nmi(self, namespace: str, name: str) -> None:
        self._note("nmi", namespace, name)

    async def send_keys(
        self, namespace: str, name: str, keys: list[str], *, text: str = "", hold: float = 0.02
    ) -> None:
        self._note("sendkeys", namespace, name, keys=keys, text=text, hold=hold)

    async def screenshot(self, namespace: str, name: str, *, move_cursor: bool = False) -> bytes:
        self._note("screenshot", namespace, name, move_cursor=move_cursor)
        return PICTURE

    async def qmp(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, confirmed: bool = False
    ) -> Json:
        self._note("qmp", namespace, name, command=command, arguments=arguments, confirmed=confirmed)
        return {"running": True}


class FakeMemoryDumps:
    """``script`` is what a stream gives; an exception in it is raised. ``open`` counts streams that are not closed."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self.script: list[bytes | SolovirtError] = [b"\x7fELF", b"rest"]
        self.open = 0

    async def request(self, namespace: str, name: str, claim: str) -> None:
        self._note("memorydump", namespace, name, claim=claim)

    async def remove(self, namespace: str, name: str) -> None:
        self._note("removememorydump", namespace, name)

    @asynccontextmanager
    async def stream(self, namespace: str, name: str, form: str) -> AsyncIterator[MemoryStream]:
        self._note("stream", namespace, name, form=form)
        self.open += 1
        try:
            yield MemoryStream(1 << 20, self._chunks())
        finally:
            self.open -= 1

    async def _chunks(self) -> AsyncIterator[bytes]:
        for one in self.script:
            if isinstance(one, SolovirtError):
                raise one
            yield one
