"""Where files of huge pages can be made. Source: Linux Documentation/admin-guide/mm/hugetlbpage.rst.

QEMU makes its file there as the machine's user and unlinks it at once, so the directory is as open as /tmp is.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
_NAME = "solovirt"
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}
_SHARED = 0o1777


def directory(page: int, *, mounts: Path = MOUNTS) -> str:
    """A directory for files with pages of ``page`` bytes, whether it exists or not; "" when none is mounted."""
    for line in _lines(mounts):
        fields = line.split()
        if len(fields) < 4 or fields[2] != "hugetlbfs":
            continue
        options = dict(pair.partition("=")[::2] for pair in fields[3].split(","))
        if _bytes(options.get("pagesize", "")) == page:
            return str(Path(fields[1].replace("\\040", " "), _NAME))
    return ""


def make(path: str) -> str:
    """The directory, made; "" when it cannot be, because only root may."""
    if not path:
        return ""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        # On a descriptor: whoever owns the mount could put a link in the directory's place.
        found = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if os.fstat(found).st_uid == os.geteuid():
            os.fchmod(found, _SHARED)
        return path if os.fstat(found).st_uid in (0, os.geteuid()) else ""
    finally:
        os.close(found)


def _bytes(text: str) -> int:
    unit = _UNITS.get(text[-1:], 0)
    return int(text[:-1]) * unit if text[:-1].isdecimal() else 0


def _lines(mounts: Path) -> list[str]:
    try:
        return mounts.read_text().splitlines()
    except OSError:
        return []
