"""Small answers about this host that are costly to find, kept on disk under a key that says when they are stale.

A cache may always be lost: an unreadable or damaged file is a miss, and a full disk only means asking again.
Knows nothing of what it keeps.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from solovirt.kit import json
from solovirt.kit.json import JsonObject

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Cache(Generic[T]):
    """One value of type ``kind`` in one file; valid only as long as ``key`` is equal to the one it was kept under."""

    def __init__(self, file: Path, kind: type[T]) -> None:
        self._file = file
        self._kind = kind

    def get(self, key: JsonObject) -> T | None:
        try:
            kept = json.decode_object(self._file.read_bytes())
            return json.convert(kept["value"], self._kind) if kept.get("key") == key else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError) as error:
            _log.warning("ignoring the cache %s: %s", self._file, error)
            return None

    def put(self, key: JsonObject, value: T) -> None:
        """Keep ``value``, whole or not at all."""
        import tempfile

        data = json.encode({"key": key, "value": msgspec.to_builtins(value)})
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.")
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(data)
                os.replace(temporary, self._file)
            except OSError:
                os.unlink(temporary)
                raise
        except OSError as error:
            _log.warning("cannot keep %s: %s", self._file, error)


def file_key(path: Path) -> JsonObject:
    """What changes when the file is replaced: its path, size, inode and time of change. Raises ``OSError``."""
    status = path.stat()
    return {"path": str(path), "size": status.st_size, "inode": status.st_ino, "mtime": status.st_mtime_ns}
