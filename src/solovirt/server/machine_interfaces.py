"""What the server needs for machines and their memory, as protocols.

``controllers.machine_operations.MachineOperations`` and ``controllers.memory_dump.MemoryDumps`` have these shapes.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from solovirt.controllers.memory_stream import MemoryStream
from solovirt.kit.json import Json, JsonObject

__all__ = ("MachineOperations", "MemoryDumps", "MemoryStream")


class MachineOperations(Protocol):
    """What QEMU is asked for. All raise NotFound, Conflict (it does not run), GuestError."""

    async def pause(self, namespace: str, name: str, *, dry_run: bool = False) -> None: ...

    async def unpause(self, namespace: str, name: str, *, dry_run: bool = False) -> None: ...

    async def soft_reboot(self, namespace: str, name: str) -> None: ...

    async def reset(self, namespace: str, name: str) -> None: ...

    async def nmi(self, namespace: str, name: str) -> None: ...

    async def send_keys(
        self, namespace: str, name: str, keys: list[str], *, text: str = "", hold: float = 0.02
    ) -> None: ...

    async def screenshot(self, namespace: str, name: str, *, move_cursor: bool = False) -> bytes: ...

    async def qmp(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, confirmed: bool = False
    ) -> Json: ...


class MemoryDumps(Protocol):
    """All raise NotFound, Conflict (it does not run; the claim is unfit; there is another dump), BadRequest."""

    async def request(self, namespace: str, name: str, claim: str) -> None: ...

    async def remove(self, namespace: str, name: str) -> None: ...

    def stream(self, namespace: str, name: str, form: str) -> AbstractAsyncContextManager[MemoryStream]: ...
