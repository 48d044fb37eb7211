"""Builds the tiny guest: kernel, initramfs and bootable disk, from Debian's packages, without root.

The result is kept and built anew only when a package or this code changed. The guest needs 96 MiB of memory.
Knows nothing of the image store.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from solovirt.host import packages
from solovirt.host.cache import Cache
from solovirt.host.tiny import disk, initramfs
from solovirt.host.tiny.debs import Archive, Package, Progress, unpack
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject

REFERENCE = "solovirt/tiny"
"""The image's name in manifests."""

KERNEL_ARGUMENTS = (
    "console=tty0 console=ttyS0 quiet nokaslr mitigations=off no_timer_check tsc=reliable cryptomgr.notests"
)
"""What the disk image boots with; a manifest's ``kernelBoot`` gives its own."""

_KERNEL = "linux-image-cloud-amd64"
_PAYLOAD = ("busybox-static", "qemu-guest-agent")
_TOOLS = ("syslinux", "syslinux-common", "mtools")
_SYSLINUX = """\
DEFAULT tiny
PROMPT 0
TIMEOUT 0
SERIAL 0 115200
LABEL tiny
  LINUX vmlinuz
  INITRD initrd
  APPEND {arguments}
"""


class TinyImage(NamedTuple):
    """The three files of a built guest; ``disk`` is qcow2."""

    kernel: Path
    initrd: Path
    disk: Path


def image_files(tiny: TinyImage) -> dict[str, Path]:
    """The guest as a container image: path in the image -> file."""
    return {"/disk/disk.qcow2": tiny.disk, "/boot/vmlinuz": tiny.kernel, "/boot/initrd": tiny.initrd}


def build(destination: Path, *, progress: Progress = lambda line: None) -> TinyImage:
    """The guest's files in ``destination``, built if they are not there or out of date. Blocks, up to a minute.

    ``progress`` gets one line of text for each step. Raises ``HostError``: ``MissingTool``, ``PackagesUnavailable``,
    ``ToolFailed``, ``MissingModule``, or ``DiskFull``.
    """
    for tool in ("apt-get", "apt-cache", "dpkg-deb", "qemu-img"):
        packages.require(tool, needed_for="building the tiny guest")
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with (destination / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _build(destination, progress)
    except OSError as error:
        raise HostError(
            f"the tiny guest cannot be written: {error.filename or destination}: {error.strerror}", reason="DiskFull"
        ) from error


def _build(destination: Path, progress: Progress) -> TinyImage:
    result = TinyImage(*(destination / name for name in ("vmlinuz", "initrd", "disk.qcow2")))
    with tempfile.TemporaryDirectory(dir=destination, prefix=".build-") as folder:
        work = Path(folder)
        archive = Archive(work / "apt", progress=progress)
        cache = Cache(destination / "tiny.json", dict[str, str])
        source: JsonObject = {"source": source_digest()}
        built_from = cache.get(source)
        if built_from and all(path.exists() for path in result):
            current = archive.show(list(built_from))
            if {name: package.version for name, package in current.items()} == built_from:
                progress("the tiny guest is up to date")
                return result
        used = _assemble(archive, work, progress)
        for name, path in zip(("vmlinuz", "initrd", "disk.qcow2"), result, strict=True):
            os.replace(work / name, path)
        cache.put(source, {package.name: package.version for package in used})
    progress(f"built {', '.join(path.name for path in result)} in {destination}")
    return result


def _assemble(archive: Archive, work: Path, progress: Progress) -> list[Package]:
    progress("choosing packages")
    meta = archive.show([_KERNEL])[_KERNEL]
    image = next((name for name in meta.depends if name.startswith("linux-image-")), "")
    if not image:
        raise HostError(f"{_KERNEL} names no kernel package", reason="PackagesUnavailable")
    payload = archive.closure(_PAYLOAD, lambda name: name.startswith("lib"))
    others = archive.show([image, *_TOOLS])
    wanted = {**payload, **others}
    size = sum(package.size for package in wanted.values()) / (1 << 20)
    progress(f"fetching {len(wanted)} packages, {size:.0f} MiB: {_KERNEL} {meta.version} and others")
    folder, root = work / "debs", work / "root"
    folder.mkdir()
    for deb in archive.download(wanted.values(), folder):
        progress(f"unpacking {deb.name.partition('_')[0]}")
        unpack(deb, root)
        deb.unlink()
    progress("making the initramfs")
    (work / "initrd").write_bytes(initramfs.build(root, release=_release()))
    os.replace(initramfs.kernel(root), work / "vmlinuz")
    progress("making the disk")
    files = {"vmlinuz": work / "vmlinuz", "initrd": work / "initrd"}
    disk.build(root, files, _SYSLINUX.format(arguments=KERNEL_ARGUMENTS), work / "disk.qcow2")
    return [meta, *wanted.values()]


def source_digest() -> str:
    """A digest of the builder itself, so that a changed script means a new guest."""
    return digest_of("solovirt.host.tiny")


def digest_of(package: str) -> str:
    """A digest of a Python package with all its files."""
    digest = hashlib.sha256()
    for name, data in sorted(_sources(resources.files(package))):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for child in folder.iterdir():
        if child.is_dir() and child.name != "__pycache__":
            found += _sources(child, f"{prefix}{child.name}/")
        elif child.is_file():
            found.append((prefix + child.name, child.read_bytes()))
    return found


def _release() -> str:
    """The release that the packages come from: the host's."""
    fields = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    return f"Debian {fields.get('VERSION_ID', '').strip(chr(34))}".strip()
