"""ISO 9660 images with Joliet and Rock Ridge names, as KubeVirt's xorrisofs makes them. Blocks.

Knows nothing of what is in the files.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

from solovirt.host.images import files

_MAX_LABEL = 32
_MAX_JOLIET_LABEL = 16
_MAX_JOLIET = 64
MAX_FILES = 4096
_WHOLE = 4096
"""Bytes that a size is a multiple of: some disks and file systems (tmpfs) do no direct I/O of smaller parts."""


def write(path: Path, label: str, content: Mapping[str, bytes]) -> None:
    """Makes or replaces ``path``, mode 0600, with volume id ``label``; it can be made again, so nothing is synced.

    ``content`` maps relative names to bytes; "/" in a name makes directories. Raises ``ValueError`` for names and
    labels that an ISO cannot hold, ``OSError`` when the disk is full.
    """
    data = build(label, content)
    files.write_atomic(path, data + bytes(-len(data) % _WHOLE), 0o600, durable=False)


def build(label: str, content: Mapping[str, bytes]) -> bytes:
    import pycdlib

    if not 0 < len(label) <= _MAX_LABEL or not label.isascii() or not label.isprintable():
        raise ValueError(f"volume label {label[:40]!r} is not 1 to {_MAX_LABEL} printable ASCII characters")
    if len(content) > MAX_FILES:
        raise ValueError(f"more than {MAX_FILES} files")
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=label[:_MAX_JOLIET_LABEL])
    image.pvd.volume_identifier = label.encode().ljust(_MAX_LABEL)
    try:
        names = _Names()
        for name in sorted(content):
            iso, rock, joliet = names.place(name, image)
            data = content[name]
            image.add_fp(io.BytesIO(data), len(data), f"{iso};1", rr_name=rock, joliet_path=joliet, file_mode=0o100444)
        target = io.BytesIO()
        image.write_fp(target)
    finally:
        image.close()
    return target.getvalue()


class _Names:
    """Plain ISO names are numbers (they must be short and upper case); people see the Rock Ridge or Joliet ones."""

    def __init__(self) -> None:
        self._directories: dict[str, tuple[str, str]] = {"": ("", "")}
        self._joliet: set[str] = set()
        self._count = 0

    def place(self, name: str, image: object) -> tuple[str, str, str]:
        """(ISO path, Rock Ridge name, Joliet path); makes the directories above."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or len(os.fsencode(part)) > 248 or not part.isprintable() for part in parts):
            raise ValueError(f"{name[:80]!r} cannot be a file name")
        parent = ""
        for part in parts[:-1]:
            parent = self._directory(parent, part, image)
        iso, joliet = self._directories[parent]
        return f"{iso}/F{self._next()}", parts[-1], self._unique(joliet, parts[-1])

    def _directory(self, parent: str, part: str, image: object) -> str:
        key = f"{parent}/{part}"
        if key not in self._directories:
            iso, joliet = self._directories[parent]
            made = (f"{iso}/D{self._next()}", self._unique(joliet, part))
            getattr(image, "add_directory")(made[0], rr_name=part, joliet_path=made[1])  # noqa: B009
            self._directories[key] = made
        return key

    def _next(self) -> str:
        self._count += 1
        return f"{self._count:06}"

    def _unique(self, parent: str, part: str) -> str:
        short = f"{parent}/{part[:_MAX_JOLIET]}"
        number = 0
        while short in self._joliet:
            number += 1
            short = f"{parent}/{part[: _MAX_JOLIET - 6]}~{number}"
        self._joliet.add(short)
        return short
