"""A command line's named parts, so that a device finds its drive, its backend, its channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from solovirt.kit.jsontypes import JsonObject
from solovirt.translate.words import Flag


@dataclass(slots=True)
class Parts:
    """``nodes`` are -blockdev by node-name, the others by id. ``used`` are flags that something has taken over."""

    flags: Sequence[Flag]
    nodes: dict[str, Flag] = field(default_factory=dict)
    drives: dict[str, Flag] = field(default_factory=dict)
    netdevs: dict[str, Flag] = field(default_factory=dict)
    chardevs: dict[str, Flag] = field(default_factory=dict)
    objects: dict[str, Flag] = field(default_factory=dict)
    tpmdevs: dict[str, Flag] = field(default_factory=dict)
    disks: list[tuple[JsonObject, Flag]] = field(default_factory=list)
    """What became a disk of the manifest, with its device, in order."""
    used: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, flags: Sequence[Flag]) -> Parts:
        found = cls(flags)
        tables = {
            "blockdev": (found.nodes, "node-name"),
            "drive": (found.drives, "id"),
            "netdev": (found.netdevs, "id"),
            "chardev": (found.chardevs, "id"),
            "object": (found.objects, "id"),
            "tpmdev": (found.tpmdevs, "id"),
        }
        for flag in flags:
            if flag.name in tables:
                table, key = tables[flag.name]
                if name := flag.word(key):
                    table[name] = flag
        return found

    def use(self, *flags: Flag | None) -> None:
        self.used.update(id(flag) for flag in flags if flag is not None)

    def is_used(self, flag: Flag) -> bool:
        return id(flag) in self.used

    def devices(self, *drivers: str) -> list[Flag]:
        return [flag for flag in self.flags if flag.name == "device" and flag.head in drivers]

    def has(self, name: str) -> bool:
        return any(flag.name == name for flag in self.flags)
