"""What QEMU's words about a disk that somebody else has open mean. Pure.

Source: QEMU block/file-posix.c, ``raw_check_lock_bytes`` and ``raw_handle_perm_lock``.
"""

from __future__ import annotations

import re

_LOCKED = re.compile(r'Failed to (?:get|lock) (?:shared )?"[a-z ]+" lock')
_IMAGE = re.compile(r"Is another process using the image \[(.*)\]\?")
_DEVICE = re.compile(r'"id":"ua-([a-zA-Z0-9.-]+)"')
"""A disk of the manifest, by libvirt's user alias."""


def explained(said: str) -> str:
    """A sentence that names the disk; "" when QEMU ended for something else."""
    locked, image = _LOCKED.search(said), _IMAGE.search(said)
    if locked is None or image is None:
        return ""
    device = _DEVICE.search(said[: locked.start()].rpartition("\n")[2])
    disk = f'disk "{device[1]}"' if device is not None else "a disk"
    return f"{disk} is in use: another machine or program holds the lock of {image[1]}"
