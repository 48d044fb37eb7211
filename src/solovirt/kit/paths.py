"""Every directory and socket of one daemon. Nothing here creates or opens anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from solovirt.kit import locations


class Paths(NamedTuple):
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
        """``volumes/<namespace>/<claim>/disk.qcow2``: the local persistent volume claims."""
        return self.state / "volumes"

    @property
    def facts(self) -> Path:
        """Cached probe results of QEMU binaries and of KVM."""
        return self.state / "facts"

    @property
    def log(self) -> Path:
        return self.state / "daemon.log"

    @property
    def start_log(self) -> Path:
        """What a daemon says that a command started, until it serves."""
        return self.state / "daemon-start.log"

    @property
    def socket(self) -> Path:
        return self.runtime / "solovirt.sock"

    def instance(self, uid: str) -> Path:
        """Files of one VirtualMachineInstance: overlays, seeds, logs."""
        return self.state / "instances" / uid

    def vm(self, uid: str) -> Path:
        """What outlives the instances of one VirtualMachine: UEFI variables, the TPM's state."""
        return self.state / "vms" / uid

    def sockets(self, uid: str) -> Path:
        """Sockets of one VirtualMachineInstance: qmp, agent, serial, vnc."""
        return self.runtime / "vmi" / uid


def from_environment(environ: Mapping[str, str] = os.environ, euid: int | None = None) -> Paths:
    """The directories for this user."""
    uid = os.geteuid() if euid is None else euid
    return Paths(state=Path(locations.state_dir(environ, uid)), runtime=Path(locations.runtime_dir(environ, uid)))
