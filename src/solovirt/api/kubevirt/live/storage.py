"""Volumes that are marked hotpluggable with their disks, and media of CD-ROM drives."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    """Nothing of it changes in place."""
