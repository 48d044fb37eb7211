"""The Debian guest's disk, made without root or loop devices: GPT with GRUB for BIOS, an EFI partition and the root.

The EFI partition has Debian's signed shim and GRUB at the removable-media path, so that every firmware finds them and
secure boot verifies them. Knows nothing of packages.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from solovirt.host import packages
from solovirt.host.debian import grub
from solovirt.host.debian.grub import SECTOR
from solovirt.host.tiny.debs import run
from solovirt.kit.errors import HostError

MIB = (1 << 20) // SECTOR
CORE_START, CORE_SECTORS = MIB, MIB
ESP_START, ESP_SECTORS = 2 * MIB, 16 * MIB
ROOT_START = ESP_START + ESP_SECTORS
_GPT_TAIL = MIB
_DISK_ID = "6d0d6f0e-8f5c-4c43-9a4e-6b5f0f6a0000"
_TYPES = {
    "bios": "21686148-6449-6E6F-744E-656564454649",
    "esp": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "root": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
}
"""GPT partition types; the last is "Linux root (x86-64)"."""
_SFDISK_LIMIT = 60.0
GRUB_CONFIG = """\
search --no-floppy --label --set=root root
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
"""
"""What the signed GRUB reads on the EFI partition: it goes on to the one on the root."""


def build(parts: Path, target: Path) -> None:
    """A compressed qcow2 image at ``target`` from the files in ``parts`` (``recipe.OUTPUTS``). Raises ``HostError``."""
    qemu_img = str(packages.require("qemu-img", needed_for="building the Debian guest's disk"))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".disk-") as folder:
        raw, root = Path(folder) / "disk.raw", Path(folder) / "root.raw"
        run([qemu_img, "convert", "-f", "qcow2", "-O", "raw", str(parts / "root.qcow2"), str(root)])
        root_sectors = -(-root.stat().st_size // SECTOR)
        with raw.open("wb") as stream:
            stream.truncate((ROOT_START + root_sectors + _GPT_TAIL) * SECTOR)
        partition(raw, root_sectors)
        _bios(parts, raw)
        _efi(parts, raw)
        run([qemu_img, "convert", "-n", "-f", "raw", "--target-image-opts", str(root),
             f"driver=raw,offset={ROOT_START * SECTOR},size={root_sectors * SECTOR},file.driver=file,"
             f"file.filename={str(raw).replace(',', ',,')}"])  # fmt: skip
        options = "compression_type=zstd,cluster_size=65536"
        run([qemu_img, "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, str(raw), str(target)])


def partition(raw: Path, root_sectors: int) -> None:
    """The partition table, by sfdisk; the same identifiers every time."""
    tool = packages.require("sfdisk", needed_for="building the Debian guest's disk")
    rows = [("bios", CORE_START, CORE_SECTORS), ("esp", ESP_START, ESP_SECTORS), ("root", ROOT_START, root_sectors)]
    script = f"label: gpt\nlabel-id: {_DISK_ID}\n" + "".join(
        f"start={start}, size={size}, type={_TYPES[name]}, name={name}, uuid={_DISK_ID[:-1]}{number}\n"
        for number, (name, start, size) in enumerate(rows, 1)
    )
    # sfdisk takes its script on the standard input only.
    try:
        done = subprocess.run(
            [str(tool), "--quiet", "--no-reread", "--no-tell-kernel", str(raw)], input=script, capture_output=True,
            text=True, timeout=_SFDISK_LIMIT, check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise HostError(f"sfdisk did not end within {_SFDISK_LIMIT:.0f} s", reason="ToolFailed") from error
    if done.returncode != 0:
        raise HostError(f"sfdisk failed: {done.stderr.strip()[-300:]}", reason="ToolFailed")


def _bios(parts: Path, raw: Path) -> None:
    boot, core = (parts / "boot.img").read_bytes(), (parts / "core.img").read_bytes()
    with raw.open("r+b") as stream:
        stream.write(grub.boot_sector(boot, CORE_START))
        stream.seek(CORE_START * SECTOR)
        stream.write(grub.core_image(core, CORE_START, CORE_SECTORS))


def _efi(parts: Path, raw: Path) -> None:
    mformat, mmd, mcopy = (
        str(packages.require(tool, needed_for="building the Debian guest's disk"))
        for tool in ("mformat", "mmd", "mcopy")
    )
    volume = f"{raw}@@{ESP_START * SECTOR}"
    environ = {"MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}
    geometry = ["-T", str(ESP_SECTORS), "-h", "255", "-s", "63", "-H", str(ESP_START), "-v", "EFI", "-N", "50505050"]
    run([mformat, "-i", volume, *geometry, "::"], environ=environ)
    run([mmd, "-i", volume, "::EFI", "::EFI/BOOT", "::EFI/debian"], environ=environ)
    config = raw.parent / "grub.cfg"
    config.write_text(GRUB_CONFIG, encoding="ascii")
    for local, inside in (
        (parts / "shim.efi", "BOOT/BOOTX64.EFI"),
        (parts / "grub.efi", "BOOT/grubx64.efi"),
        (config, "debian/grub.cfg"),
    ):
        run([mcopy, "-i", volume, str(local), f"::EFI/{inside}"], environ=environ)
