"""What chooses a node: a VMI that exists learns it, so that one that found no place starts once it may."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.kit.json import clone


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    merged.node_selector = dict(wanted.node_selector)
    merged.affinity = clone(wanted.affinity)
    merged.tolerations = clone(wanted.tolerations)
