"""ELF core files as crash reads them: enough to say that one is whole, and to look for something in its memory."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

ET_CORE, EM_X86_64, PT_LOAD, PT_NOTE = 4, 62, 1, 4


@dataclass(frozen=True)
class Segment:
    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True)
class Core:
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]
    size: int

    @property
    def memory(self) -> int:
        return sum(one.size for one in self.segments if one.kind == PT_LOAD)


def read(path: Path) -> Core:
    """Raises AssertionError for what is no core of an x86-64 machine, or is cut."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        assert head[:6] == b"\x7fELF\x02\x01", head[:16]
        kind, machine = struct.unpack_from("<HH", head, 16)
        assert (kind, machine) == (ET_CORE, EM_X86_64)
        (start,) = struct.unpack_from("<Q", head, 32)
        each, count = struct.unpack_from("<HH", head, 54)
        found = []
        for number in range(count):
            file.seek(start + number * each)
            row = file.read(56)
            kind, _, offset, _, physical, stored, _, _ = struct.unpack("<IIQQQQQQ", row)
            assert offset + stored <= size, f"segment {number} ends at {offset + stored} of {size}"
            found.append(Segment(kind, offset, physical, stored))
        notes: list[str] = []
        for one in found:
            if one.kind == PT_NOTE:
                file.seek(one.offset)
                notes += _notes(file.read(one.size))
    return Core(tuple(found), tuple(notes), size)


def _notes(data: bytes) -> list[str]:
    names, at = [], 0
    while at + 12 <= len(data):
        name, content, _kind = struct.unpack_from("<III", data, at)
        names.append(data[at + 12 : at + 12 + name].rstrip(b"\0").decode())
        at += 12 + (name + 3) // 4 * 4 + (content + 3) // 4 * 4
    return names


def contains(path: Path, text: bytes) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0
