"""The Debian guest's root: which packages it has, and the mmdebstrap run that makes its file system and boot loaders.

mmdebstrap works as root, and otherwise in a user namespace (package uidmap). Nothing is mounted by us.
Knows nothing of partitions.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from solovirt.host import packages
from solovirt.host.tiny.debs import run

SUITE = "bookworm"
ROOT_UUID = "6d0d6f0e-8f5c-4c43-9a4e-6b5f0f6a0001"
ROOT_SIZE = 1536
"""MiB of the root file system; cloud-init grows it to the disk."""

PACKAGES = (
    "linux-image-amd64", "initramfs-tools", "busybox", "zstd", "systemd-sysv", "systemd-resolved", "udev", "dbus",
    "cloud-init", "cloud-guest-utils", "qemu-guest-agent", "openssh-server", "sudo", "e2fsprogs", "fdisk", "kmod",
    "util-linux", "procps", "iproute2", "iputils-ping", "netbase", "ca-certificates", "socat", "pciutils", "usbutils",
    "dmidecode", "tpm2-tools",
)  # fmt: skip
"""What it has, beside Debian's essential packages and apt."""

OUTPUTS = ("vmlinuz", "initrd", "shim.efi", "grub.efi", "boot.img", "core.img", "root.qcow2", "packages")
"""What the run leaves. ``packages``: one "name=version" a line."""

_EPOCH = 1_700_000_000
_LEFT_OUT = (
    "/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*",
    *(
        f"/lib/modules/*/kernel/{folder}/*"
        for folder in (
            "drivers/net/wireless", "drivers/gpu/drm/amd", "drivers/gpu/drm/i915", "drivers/gpu/drm/nouveau",
            "drivers/gpu/drm/radeon", "drivers/media", "drivers/infiniband", "drivers/staging", "drivers/isdn",
            "drivers/iio", "sound/soc", "sound/firewire",
        )
    ),
)  # fmt: skip
"""Documents, and drivers of hardware that no machine of QEMU has."""
_MIRROR = re.compile(r"https?://[^\s|]+", re.ASCII)


def make(work: Path) -> None:
    """The files named by ``OUTPUTS``, in ``work``. Takes a minute or more. Raises ``HostError``."""
    tool = packages.require("mmdebstrap", needed_for="building the Debian guest")
    for needed in ("mke2fs", "qemu-img", "apt-get", "dpkg-deb"):
        packages.require(needed, needed_for="building the Debian guest")
    (work / "guest.tar").write_bytes(overlay(resources.files("solovirt.host.debian") / "guest"))
    environ = {"SOURCE_DATE_EPOCH": str(_EPOCH), "UUID": ROOT_UUID, "SIZE": f"{ROOT_SIZE}M"}
    if os.geteuid() == 0:
        environ["TMPDIR"] = str(work)
    run([*_alone(), str(tool), *command(work, mirrors())], cwd=work, environ=environ)


def _alone() -> list[str]:
    """A prefix for root: mounts of its own and no orphans, so that nothing is left when it is killed.

    Another user has both from mmdebstrap's user namespace. Where namespaces are forbidden it does without.
    """
    unshare = packages.find("unshare")
    if os.geteuid() != 0 or unshare is None:
        return []
    prefix = [str(unshare), "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return prefix if run([*prefix, "true"], check=False).returncode == 0 else []


def command(work: Path, sources: list[str]) -> list[str]:
    """mmdebstrap's arguments. ``sources`` are lines of a sources.list; none means mmdebstrap's own."""
    hooks = resources.files("solovirt.host.debian") / "hooks"
    setup = (hooks / "setup").read_text(encoding="utf-8")
    options = ["--quiet", "--variant=minbase", "--format=null", "--skip=output/dev,cleanup"]
    options += ["--aptopt=Apt::Install-Recommends false", "--aptopt=Acquire::Languages none", *_proxies()]
    options += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT)]
    options += [f"--include={','.join(PACKAGES)}", f"--essential-hook=tar-in {work}/guest.tar /"]
    options += [f"--customize-hook=chroot \"$1\" /bin/sh -c '{_quoted(setup)}'"]
    options += [f"--customize-hook={(hooks / name).read_text(encoding='utf-8')}" for name in ("boot", "filesystem")]
    options += [f"--customize-hook=download /.boot/{name} {work}/{name}" for name in OUTPUTS]
    return [*options, SUITE, "/dev/null", *sources]


def overlay(folder: Traversable) -> bytes:
    """Our files for the guest as a tar archive that is the same every time and belongs to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, folder, ".")
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, folder: Traversable, prefix: str) -> None:
    for child in sorted(folder.iterdir(), key=lambda entry: entry.name):
        info = tarfile.TarInfo(f"{prefix}/{child.name}")
        info.mtime = _EPOCH
        if child.is_dir():
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
            _add(archive, child, info.name)
        else:
            data = child.read_bytes()
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))


def mirrors() -> list[str]:
    """This host's own sources of the suite, as lines of a sources.list, so that a near mirror is used."""
    tool = packages.require("apt-get", needed_for="building the Debian guest")
    fields = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)"
    listed = run([str(tool), "indextargets", "--format", fields, "Created-By: Packages"], check=False).stdout
    return sources_list(listed)


def sources_list(listed: str) -> list[str]:
    """``apt-get indextargets`` as sources, when it has the suite itself."""
    found = []
    for line in listed.splitlines():
        origin, codename, uri, component, *_ = [*line.split("|"), "", "", "", ""]
        family = codename in (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
        if origin == "Debian" and family and component == "main" and _MIRROR.fullmatch(uri):
            found.append(f"deb {uri} {codename} main")
    return list(dict.fromkeys(found)) if any(f" {SUITE} " in line for line in found) else []


def _proxies() -> list[str]:
    """The host's proxies for apt: mmdebstrap does not read the host's configuration."""
    tool = packages.find("apt-config")
    told = run([str(tool), "dump", "Acquire"], check=False).stdout if tool else ""
    found = re.findall(r'^(Acquire::https?::Proxy(?:::\S+)?) "([^"\s]+)";$', told, re.MULTILINE)
    return [f'--aptopt={name} "{value}"' for name, value in found]


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")
