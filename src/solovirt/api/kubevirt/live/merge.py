"""What of a changed spec a running machine can follow in place. Pure.

KubeVirt's LiveUpdate rollout strategy, and more: it resizes by migrating, one host in place, up and down. Each part
moves into the running spec what may change while the guest runs; what is left needs a restart.
Source: kubevirt pkg/virt-controller/watch/vm/vm.go (``addRestartRequiredIfNeeded``), pkg/liveupdate.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api.kubevirt.live import compute, devices, network, placement, storage
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.kit.json import clone

Part = Callable[[VirtualMachineInstanceSpec, VirtualMachineInstanceSpec], None]
"""Takes over from the wanted spec (first) into the merged one (second), which starts as the running one."""

PARTS: tuple[Part, ...] = (placement.take, compute.take, storage.take, network.take, devices.take)


def merge(
    wanted: VirtualMachineInstanceSpec, running: VirtualMachineInstanceSpec, at_boot: Quantity | None = None
) -> VirtualMachineInstanceSpec:
    """The running spec with every wanted change that needs no restart. Both specs are defaulted; neither is changed.

    ``at_boot`` is the memory that the guest was started with, where that is known: it never has less.
    """
    merged = clone(running)
    for take in PARTS:
        take(wanted, merged)
    compute.keep_boot_memory(merged, running, at_boot)
    return merged


def needs_restart(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> bool:
    """Whether something of ``wanted`` is left out of the merged spec."""
    return wanted != merged
