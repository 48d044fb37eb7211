"""What the host says of an image's file or device: whether all its space is there, and its block sizes. Blocks."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from solovirt.host.model.bindings import BlockSizes, DiskImage
from solovirt.kit.errors import HostError

_BLKSSZGET, _BLKPBSZGET = 0x1268, 0x127B
"""linux/fs.h: a device's logical and physical block size."""
_UNIT = 512
"""Bytes of ``st_blocks``."""


def described(image: DiskImage, *, match_blocks: bool) -> DiskImage:
    """``image`` with ``preallocated``, and with ``blocks`` if they are asked for. Raises ``HostError``."""
    try:
        with _opened(image.path) as descriptor:
            status = os.fstat(descriptor)
            full = stat.S_ISREG(status.st_mode) and status.st_blocks * _UNIT >= (image.size or status.st_size) > 0
            blocks = _blocks(descriptor, status) if match_blocks else None
    except OSError as error:
        raise HostError(f"{image.path}: {error.strerror}", reason="VolumeUnreadable") from error
    return msgspec.structs.replace(image, preallocated=full, blocks=blocks)


def _blocks(descriptor: int, status: os.stat_result) -> BlockSizes:
    """As KubeVirt's getOptimalBlockIO: a file system has one size for everything."""
    if not stat.S_ISBLK(status.st_mode):
        size = os.fstatvfs(descriptor).f_bsize
        return BlockSizes(size, size, size)
    logical, physical = _ask(descriptor, _BLKSSZGET), _ask(descriptor, _BLKPBSZGET)
    logical, physical = logical or physical or _UNIT, physical or logical or _UNIT
    discard = _discard_granularity(status.st_rdev)
    return BlockSizes(logical, physical, physical if discard % logical else discard)


def _ask(descriptor: int, request: int) -> int:
    answer = fcntl.ioctl(descriptor, request, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _discard_granularity(device: int) -> int:
    path = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/queue/discard_granularity"
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.read(32))
    except (FileNotFoundError, ValueError):
        return 0


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
