"""A bootable disk image made without root, loop devices or installed boot loaders: MBR, one FAT partition, SYSLINUX.

SYSLINUX's installer and mtools write into the partition inside the file. Both are taken from unpacked packages.
Knows nothing of what is booted.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

from solovirt.host import packages
from solovirt.host.tiny.debs import run

_SECTOR = 512
_PARTITION_START = 2048
_SLACK = 4 << 20
_FAT16_LBA = 0x0E
_ACTIVE = 0x80


def build(tools: Path, files: Mapping[str, Path], config: str, target: Path) -> None:
    """A qcow2 image at ``target`` whose partition holds ``files`` (8.3 names) and boots by ``config`` (syslinux.cfg).

    ``tools`` is where the packages syslinux, syslinux-common and mtools are unpacked. Raises ``HostError``.
    """
    qemu_img = packages.require("qemu-img", needed_for="building the tiny guest's disk")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".disk-") as folder:
        raw = Path(folder) / "disk.raw"
        settings = Path(folder) / "syslinux.cfg"
        settings.write_text(config, encoding="ascii")
        content = {**files, "syslinux.cfg": settings}
        size = sum(path.stat().st_size for path in content.values()) + _SLACK
        sectors = -(-size // (1 << 20)) * (1 << 20) // _SECTOR
        with raw.open("wb") as image:
            image.write(master_boot_record(_boot_code(tools), sectors))
            image.truncate((_PARTITION_START + sectors) * _SECTOR)
        _fill(tools, raw, sectors, content)
        run([str(qemu_img), "convert", "-f", "raw", "-O", "qcow2", str(raw), str(target)])


def _fill(tools: Path, raw: Path, sectors: int, content: Mapping[str, Path]) -> None:
    offset = _PARTITION_START * _SECTOR
    partition = f"{raw}@@{offset}"
    programs = tools / "usr/bin"
    # The installer calls mtools by name; MTOOLS_SKIP_CHECK because the partition's geometry is nobody's disk.
    environ = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": "/dev/null",
        "TMPDIR": str(raw.parent),
    }
    run(
        [str(programs / "mformat"), "-i", partition, "-T", str(sectors), "-h", "255", "-s", "63",
         "-H", str(_PARTITION_START), "-v", "TINY", "::"],
        environ=environ,
    )  # fmt: skip
    for name, path in content.items():
        run([str(programs / "mcopy"), "-i", partition, str(path), f"::{name}"], environ=environ)
    run([str(programs / "syslinux"), "--install", "--offset", str(offset), str(raw)], environ=environ)


def _boot_code(tools: Path) -> bytes:
    found = sorted(path for path in tools.glob("usr/lib/*/**/mbr.bin"))
    return found[0].read_bytes() if found else (tools / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()


def master_boot_record(code: bytes, sectors: int) -> bytes:
    """Sector 0: boot code and one active FAT16 partition, addressed by LBA (so its CHS fields say "beyond")."""
    beyond = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", _ACTIVE, beyond, _FAT16_LBA, beyond, _PARTITION_START, sectors)
    return code[:440].ljust(446, b"\0") + entry + bytes(48) + b"\x55\xaa"
