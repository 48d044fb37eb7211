"""What one running QEMU understands, from its own ``query-qmp-schema``: arguments of commands, values of enums.

Asked of the process, not of the binary: the package may have been upgraded under it. Must not know who asks.
Source: QEMU docs/devel/qapi-code-gen.rst, "Client JSON Protocol introspection".
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakKeyDictionary

from solovirt.kit.json import Json, JsonObject, get_list, get_str


class Asked(Protocol):
    """One machine."""

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json: ...


class Schema:
    """The reply, by entity. One that makes no sense knows nothing."""

    def __init__(self, reply: Json) -> None:
        entities = [one for one in reply if isinstance(one, dict)] if isinstance(reply, list) else []
        self._entities = {get_str(one, "name"): one for one in entities}

    def has_command(self, command: str) -> bool:
        return get_str(self._entities.get(command, {}), "meta-type") == "command"

    def has_argument(self, command: str, argument: str) -> bool:
        return argument in self._arguments(command)

    def values(self, command: str, argument: str) -> tuple[str, ...]:
        """What an argument of an enum type may be; () when there is none."""
        kind = self._entities.get(self._arguments(command).get(argument, ""), {})
        return tuple(value for value in get_list(kind, "values") if isinstance(value, str))

    def _arguments(self, command: str) -> dict[str, str]:
        """Name to type."""
        if not self.has_command(command):
            return {}
        kind = self._entities.get(get_str(self._entities[command], "arg-type"), {})
        members = [one for one in get_list(kind, "members") if isinstance(one, dict)]
        return {get_str(one, "name"): get_str(one, "type") for one in members}


_KNOWN: WeakKeyDictionary[Asked, Schema] = WeakKeyDictionary()


async def schema_of(machine: Asked) -> Schema:
    """Asked once of each machine. Raises as its ``qmp``."""
    known = _KNOWN.get(machine)
    if known is None:
        known = _KNOWN[machine] = Schema(await machine.qmp("query-qmp-schema"))
    return known
