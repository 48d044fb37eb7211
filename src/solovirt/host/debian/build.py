"""Builds the Debian guest: Debian 12 with its full, signed kernel, cloud-init and the QEMU guest agent.

It boots from BIOS, from UEFI with and without secure boot, and by its kernel and initrd (``kernelBoot``). The result is
kept and built anew only when this host's apt knows another version of one of its packages, or this code changed. The
guest needs 512 MiB of memory. Knows nothing of the image store.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from solovirt.host.cache import Cache
from solovirt.host.debian import disk, recipe
from solovirt.host.tiny.build import digest_of
from solovirt.host.tiny.debs import Archive, Progress
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject

REFERENCE = "solovirt/debian"
"""The image's name in manifests."""

KERNEL_ARGUMENTS = (
    "root=LABEL=root rw console=tty0 console=ttyS0 quiet nokaslr no5lvl mitigations=off no_timer_check "
    "cryptomgr.notests apparmor=0 audit=0 selinux=0 fsck.mode=skip systemd.gpt_auto=0"
)
"""What the disk image boots with; a manifest's ``kernelBoot`` gives its own."""

_NAMES = ("vmlinuz", "initrd", "disk.qcow2")


class DebianImage(NamedTuple):
    """The three files of a built guest; ``disk`` is qcow2 and holds the root that kernel and initrd mount."""

    kernel: Path
    initrd: Path
    disk: Path


def image_files(debian: DebianImage) -> dict[str, Path]:
    """The guest as a container image: path in the image -> file."""
    return {"/disk/disk.qcow2": debian.disk, "/boot/vmlinuz": debian.kernel, "/boot/initrd": debian.initrd}


def build(destination: Path, *, progress: Progress = lambda line: None) -> DebianImage:
    """The guest's files in ``destination``, built if they are not there or out of date. Blocks, one or two minutes.

    ``progress`` gets one line of text for each step. Raises ``HostError``: ``MissingTool``, ``PackagesUnavailable``,
    ``ToolFailed``, or ``DiskFull``.
    """
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with (destination / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _build(destination.absolute(), progress)
    except OSError as error:
        raise HostError(
            f"the Debian guest cannot be written: {error.filename or destination}: {error.strerror}", reason="DiskFull"
        ) from error


def _build(destination: Path, progress: Progress) -> DebianImage:
    result = DebianImage(*(destination / name for name in _NAMES))
    with tempfile.TemporaryDirectory(dir=destination, prefix=".build-") as folder:
        work = Path(folder)
        archive = Archive(work / "apt", progress=progress)
        cache = Cache(destination / "debian.json", dict[str, str])
        source: JsonObject = {"source": source_digest()}
        built_from = cache.get(source)
        if built_from and all(path.exists() for path in result) and known_versions(archive, built_from) == built_from:
            progress("the Debian guest is up to date")
            return result
        progress(f"mmdebstrap: Debian {recipe.SUITE} with {len(recipe.PACKAGES)} packages and what they need")
        recipe.make(work)
        progress("making the disk")
        disk.build(work, work / "disk.qcow2")
        for name, path in zip(_NAMES, result, strict=True):
            os.replace(work / name, path)
        names = [line.partition("=")[0] for line in (work / "packages").read_text(encoding="ascii").splitlines()]
        cache.put(source, known_versions(archive, names))
    progress(f"built {', '.join(path.name for path in result)} in {destination}")
    return result


def known_versions(archive: Archive, names: Iterable[str]) -> dict[str, str]:
    """The versions that this host's apt would install now; "" for a package that it does not know."""
    wanted = list(names)
    known = archive.known(wanted)
    return {name: known[name].version if name in known else "" for name in wanted}


def source_digest() -> str:
    """A digest of the builder itself, so that a changed script means a new guest."""
    return digest_of("solovirt.host.debian")
