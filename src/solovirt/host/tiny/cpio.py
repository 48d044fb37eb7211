"""Writes initramfs archives: cpio in the "newc" format that the Linux kernel unpacks.

Format: Documentation/driver-api/early-userspace/buffer-format.rst in the Linux source. Knows nothing of the contents.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple


class Entry(NamedTuple):
    """One file: its type and permissions as in ``st_mode``, and its content (for a symbolic link: the target)."""

    mode: int
    data: bytes = b""


def file(data: bytes, *, executable: bool = False) -> Entry:
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(target: str) -> Entry:
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def folder(mode: int = 0o755) -> Entry:
    return Entry(stat.S_IFDIR | mode)


def archive(entries: Mapping[str, Entry]) -> bytes:
    """The archive of ``entries`` (absolute path -> entry), owned by root, without times: same input, same bytes.

    Missing parent folders are added. Raises ``ValueError`` for a path that is not absolute or holds "..".
    """
    whole = dict(entries)
    for path in entries:
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts or str(pure) != path or path.startswith("//"):
            raise ValueError(f"not a clean absolute path: {path}")
        for parent in pure.parents:
            if parent != PurePosixPath("/"):
                whole.setdefault(str(parent), folder())
    # A folder must come before what is in it, and sorting by path sees to that.
    parts = [_record(number, path.lstrip("/"), whole[path]) for number, path in enumerate(sorted(whole), start=1)]
    return b"".join(parts) + _record(0, "TRAILER!!!", Entry(0))


def _record(number: int, name: str, entry: Entry) -> bytes:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in numbers)
    return _padded(header + encoded) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
