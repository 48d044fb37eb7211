"""New thin images without a new qemu-img: what it made once for the same arguments is written again.

An empty qcow2 is a few blocks of metadata that follow from its size and backing file alone, while starting qemu-img
costs more than everything else that a start of a VM does on disk. Only data blocks are kept; holes stay holes.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import msgspec

MOST = 64
LARGEST = 256 << 10
"""Bytes of data blocks that are worth keeping in memory; an empty image has some 200 KiB at most, mostly zeros."""
_BLOCK = 4096


class Template(msgspec.Struct, frozen=True):
    length: int
    blocks: tuple[tuple[int, bytes], ...]

    def write(self, path: Path) -> None:
        """A new file with this content. Raises ``OSError``, also if ``path`` is there."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for offset, data in self.blocks:
                os.pwrite(descriptor, data, offset)
            os.ftruncate(descriptor, self.length)
        finally:
            os.close(descriptor)


class Templates:
    """The last ``MOST`` templates by the arguments that made them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Template] = OrderedDict()

    def get(self, arguments: tuple[str, ...]) -> Template | None:
        found = self._kept.get(arguments)
        if found is not None:
            self._kept.move_to_end(arguments)
        return found

    def keep(self, arguments: tuple[str, ...], made: Path) -> None:
        """Remember a file that qemu-img has just made; a large one is not kept."""
        template = read(made)
        if template is None:
            return
        self._kept[arguments] = template
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)


def read(path: Path) -> Template | None:
    """The file's blocks that are not zero; None for more than ``LARGEST`` bytes of them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        length = os.fstat(descriptor).st_size
        blocks: list[tuple[int, bytes]] = []
        total = 0
        for offset in _offsets(descriptor, length):
            data = os.pread(descriptor, _BLOCK, offset)
            if data.strip(b"\0"):
                blocks.append((offset, data))
                total += len(data)
            if total > LARGEST:
                return None
        return Template(length, tuple(blocks))
    finally:
        os.close(descriptor)


def _offsets(descriptor: int, length: int) -> Iterator[int]:
    """Where the file's data blocks begin, holes passed over."""
    position = 0
    while position < length:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        start -= start % _BLOCK
        yield from range(start, end, _BLOCK)
        position = end
