"""GRUB for BIOS on a GPT disk, written as its installer would: boot.img in sector 0, core.img in a BIOS boot partition.

Source: GRUB's include/grub/offsets.h and boot/i386/pc/diskboot.S. Knows nothing of files or tools.
"""

from __future__ import annotations

import struct

from solovirt.kit.errors import HostError

SECTOR = 512
BOOT_CODE = 440
"""Bytes of sector 0 before the disk signature and the partition table."""
_KERNEL_SECTOR = 0x5C
_DRIVE_CHECK = 0x66
_NOPS = b"\x90\x90"
_FIRST_BLOCKS = SECTOR - 12
"""diskboot.img ends with its list of blocks: start (8 bytes), length (2) and segment (2) of the first run."""
_LOAD_SEGMENT = 0x820


def boot_sector(boot: bytes, core_start: int) -> bytes:
    """The boot code that loads the sector ``core_start``: the first 440 bytes of the disk. Raises ``HostError``."""
    if len(boot) != SECTOR:
        raise HostError(f"GRUB's boot.img has {len(boot)} bytes instead of {SECTOR}", reason="ToolFailed")
    code = bytearray(boot[:BOOT_CODE])
    struct.pack_into("<Q", code, _KERNEL_SECTOR, core_start)
    # Like the installer: firmware that numbers its first disk wrongly is not asked to be right.
    code[_DRIVE_CHECK : _DRIVE_CHECK + len(_NOPS)] = _NOPS
    return bytes(code)


def core_image(core: bytes, start: int, sectors: int) -> bytes:
    """``core`` as it lies at sector ``start`` of a partition of ``sectors``. Raises ``HostError`` if it is too big."""
    length = -(-len(core) // SECTOR)
    if not 2 <= length <= sectors:
        raise HostError(f"GRUB's core.img has {length} sectors, its place has {sectors}", reason="ToolFailed")
    image = bytearray(core.ljust(length * SECTOR, b"\0"))
    struct.pack_into("<QHH", image, _FIRST_BLOCKS, start + 1, length - 1, _LOAD_SEGMENT)
    return bytes(image)
