"""qemu-pr-helper: makes SCSI persistent reservations for LUNs, with rights that QEMU does not have. Blocks.

It is a service of the host, not of a VM: systemd starts it when somebody connects. Source: qemu-pr-helper(8).
"""

from __future__ import annotations

import stat
from pathlib import Path

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.kit.errors import HostError

SOCKET = Path("/run/qemu-pr-helper.sock")
_HINT = "apt install qemu-system-common; systemctl enable --now qemu-pr-helper.socket"


def wanted(spec: VirtualMachineInstanceSpec) -> list[int]:
    """Indices of the disks that make reservations."""
    disks = enumerate(spec.domain.devices.disks)
    return [index for index, disk in disks if disk.lun is not None and disk.lun.reservation]


def check(spec: VirtualMachineInstanceSpec, prefix: str, socket: Path = SOCKET) -> None:
    """Raises ``HostError`` (``MissingTool``) where a disk needs the helper and nobody listens for it."""
    for index in wanted(spec):
        try:
            there = stat.S_ISSOCK(socket.stat().st_mode)
        except OSError:
            there = False
        if not there:
            field = f"{prefix}.domain.devices.disks[{index}].lun.reservation"
            raise HostError(
                f"qemu-pr-helper does not listen at {socket}", reason="MissingTool", field=field, hint=_HINT
            )
