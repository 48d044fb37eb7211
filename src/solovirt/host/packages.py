"""Which Debian package brings which program, and one way to ask for a program.

Everyone who starts a program asks ``require`` for its path, so that a missing one is always told the same way: what is
missing, what for, and the package that has it. Knows nothing of what the programs do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from solovirt.kit.errors import HostError

PACKAGES: Mapping[str, str] = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "fallocate": "util-linux",
    "getfacl": "acl",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mformat": "mtools",
    "mmd": "mtools",
    "mmdebstrap": "mmdebstrap",
    "mtools": "mtools",
    "newuidmap": "uidmap",
    "prlimit": "util-linux",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-nbd": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "setfacl": "acl",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "skopeo": "skopeo",
    "swtpm": "swtpm",
    "syslinux": "syslinux",
    "systemctl": "systemd",
    "systemd-run": "systemd",
    "virtiofsd": "qemu-system-common",
    "unshare": "util-linux",
    "zstd": "zstd",
}
"""Program name -> Debian package."""

_ALWAYS_SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def find(tool: str, *, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The program's path: ``PATH`` first, then the usual system folders (a user's PATH often lacks the sbin ones)."""
    wanted = environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join([*(entry for entry in wanted if os.path.isabs(entry)), *_ALWAYS_SEARCHED])
    found = shutil.which(tool, path=path)
    return Path(found) if found else None


def hint(tool: str) -> str:
    """What to do about a missing program: ``apt install skopeo``."""
    return f"apt install {PACKAGES.get(tool, tool)}"


def require(tool: str, *, needed_for: str = "", environ: Mapping[str, str] = os.environ) -> Path:
    """The program's path. Raises ``HostError`` (reason ``MissingTool``) whose hint names the package to install."""
    found = find(tool, environ=environ)
    if found is None:
        purpose = f", needed for {needed_for}," if needed_for else ""
        raise HostError(f"{tool}{purpose} is not installed", reason="MissingTool", hint=hint(tool))
    return found
