"""Where solovirt keeps things: XDG directories for a user, /var/lib and /run for root.

``SOLOVIRT_STATE_DIR`` and ``SOLOVIRT_RUNTIME_DIR`` override both (tests, several daemons on one host). Nothing here
creates or opens anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """All directories and sockets of one daemon. ``docs/internals.md`` lists what lies in them."""

    state: Path
    runtime: Path

    @property
    def database(self) -> Path:
        return self.state / "solovirt.db"

    @property
    def lock(self) -> Path:
        return self.state / "daemon.lock"

    @property
    def images(self) -> Path:
        return self.state / "images"

    @property
    def volumes(self) -> Path:
        """``volumes/<namespace>/<claim>/disk.img``: the local persistent volume claims."""
        return self.state / "volumes"

    @property
    def facts(self) -> Path:
        """Cached probe results of QEMU binaries and of KVM."""
        return self.state / "facts"

    @property
    def log(self) -> Path:
        return self.state / "daemon.log"

    @property
    def socket(self) -> Path:
        return self.runtime / "solovirt.sock"

    def instance(self, uid: str) -> Path:
        """Files of one VirtualMachineInstance: overlays, seeds, logs."""
        return self.state / "instances" / uid

    def sockets(self, uid: str) -> Path:
        """Sockets of one VirtualMachineInstance: qmp, agent, serial, vnc."""
        return self.runtime / "vmi" / uid


def from_environment(environ: Mapping[str, str] = os.environ, euid: int | None = None) -> Paths:
    """The directories for this user (XDG Base Directory Specification; FHS for root)."""
    uid = os.geteuid() if euid is None else euid
    if uid == 0:
        state, runtime = Path("/var/lib/solovirt"), Path("/run/solovirt")
    else:
        home = Path(environ.get("HOME") or "/nonexistent")
        state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "solovirt"
        base = environ.get("XDG_RUNTIME_DIR") or ""
        runtime = Path(base) / "solovirt" if base else Path(f"/tmp/solovirt-{uid}")
    return Paths(
        state=Path(environ.get("SOLOVIRT_STATE_DIR") or state),
        runtime=Path(environ.get("SOLOVIRT_RUNTIME_DIR") or runtime),
    )
