"""Defaults of a VMI's life. Source: kubevirt pkg/defaults/defaults.go."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec

EVICTION_STRATEGY = "None"
"""KubeVirt's cluster default."""


def default_lifecycle(spec: VirtualMachineInstanceSpec) -> None:
    spec.eviction_strategy = spec.eviction_strategy or EVICTION_STRATEGY
