"""Rules for preferences. Source: kubevirt pkg/instancetype/preference/webhooks/admitter.go."""

from __future__ import annotations

from solovirt.api.causes import INVALID, Causes, shown
from solovirt.api.instancetype import topology
from solovirt.api.instancetype.preference import (
    PreferenceSpec,
    VirtualMachineClusterPreference,
    VirtualMachinePreference,
)
from solovirt.api.metadata import check_metadata
from solovirt.api.quantities import checked
from solovirt.kit.errors import Cause

AnyPreference = VirtualMachinePreference | VirtualMachineClusterPreference


def validate(new: AnyPreference, old: AnyPreference | None) -> list[Cause]:
    causes = Causes()
    check_metadata(causes, new.metadata)
    spec = new.spec
    wanted = spec.cpu.preferred_cpu_topology if spec.cpu is not None else ""
    if wanted and wanted not in topology.TOPOLOGIES:
        causes.add(INVALID, "spec.cpu.preferredCPUTopology", f"unknown preferredCPUTopology {shown(wanted)}")
    if topology.preferred(spec) == topology.SPREAD:
        _check_spread(causes, spec)
    requirements = spec.requirements
    if requirements is not None and requirements.memory is not None:
        checked(causes, requirements.memory.guest, "spec.requirements.memory.guest")
    if requirements is not None and requirements.cpu is not None and requirements.cpu.guest < 0:
        causes.invalid("spec.requirements.cpu.guest", requirements.cpu.guest, "must be greater than or equal to 0")
    return causes.found


def _check_spread(causes: Causes, spec: PreferenceSpec) -> None:
    ratio, across = topology.spread_of(spec)
    place = "spec.cpu.spreadOptions"
    if across not in topology.ACROSS:
        causes.add(INVALID, f"{place}.across", f"across {shown(across)} is not supported")
    elif across == topology.CORES_THREADS and ratio != topology.THREADS_PER_CORE:
        text = "only a ratio of 2 (1 core 2 threads) is allowed when spreading vCPUs over cores and threads"
        causes.add(INVALID, f"{place}.ratio", text)
    elif ratio < 1:
        causes.invalid(f"{place}.ratio", ratio, "must be greater than or equal to 1")
