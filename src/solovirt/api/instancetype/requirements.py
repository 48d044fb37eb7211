"""Whether a VM has what a preference needs at least. Source: kubevirt pkg/instancetype/preference/requirements."""

from __future__ import annotations

from solovirt.api.instancetype import topology
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.matchers import NOT_FOUND
from solovirt.api.instancetype.preference import PreferenceSpec
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes
from solovirt.kit.errors import Cause

_SPEC = "spec.template.spec"
_CPU = f"{_SPEC}.domain.cpu"
_ACROSS = {
    topology.SOCKETS_CORES: ("sockets", "cores"),
    topology.CORES_THREADS: ("cores", "threads"),
    topology.SOCKETS_CORES_THREADS: ("sockets", "cores", "threads"),
}


def check(types: Types, spec: VirtualMachineInstanceSpec) -> list[Cause]:
    """``spec`` has everything applied and all defaults. One cause at most, the first that KubeVirt would tell."""
    preference = types.preference
    if preference is None or preference.requirements is None:
        return []
    problem = _cpu(types, preference, spec) or _memory(types, preference, spec) or _architecture(preference, spec)
    if problem is None:
        return []
    field, text = problem
    return [Cause(NOT_FOUND, f"failure checking preference requirements: {text}", field)]


Problem = tuple[str, str]
"""Fields and a sentence."""


def _cpu(types: Types, preference: PreferenceSpec, spec: VirtualMachineInstanceSpec) -> Problem | None:
    needs = preference.requirements.cpu if preference.requirements is not None else None
    if needs is None:
        return None
    if types.instancetype is not None:
        given = types.instancetype.cpu.guest
        text = f"insufficient CPU resources of {given} vCPU provided by instance type, preference requires"
        return ("spec.instancetype", f"{text} {needs.guest} vCPU") if given < needs.guest else None
    cpu = spec.domain.cpu
    if cpu is None:
        return _CPU, f"no CPU resources provided by VirtualMachine, preference requires {needs.guest} vCPU"
    names, words = _counted(preference)
    counts = {"sockets": cpu.sockets or 0, "cores": cpu.cores or 0, "threads": cpu.threads or 0}
    given = 1
    for name in names:
        given *= counts[name]
    text = f"insufficient CPU resources of {given} vCPU provided by VirtualMachine, preference requires"
    fields = ", ".join(f"{_CPU}.{name}" for name in names)
    return (fields, f"{text} {needs.guest} vCPU provided as {words}") if given < needs.guest else None


def _counted(preference: PreferenceSpec) -> tuple[tuple[str, ...], str]:
    """Which counts make a guest's vCPUs, and how KubeVirt names them."""
    wanted = topology.preferred(preference)
    if wanted == topology.SPREAD:
        across = topology.spread_of(preference).across
        return _ACROSS.get(across, ("sockets", "cores")), across
    if wanted == topology.ANY:
        return ("cores", "sockets", "threads"), "cores, sockets and threads"
    return (wanted,), wanted


def _memory(types: Types, preference: PreferenceSpec, spec: VirtualMachineInstanceSpec) -> Problem | None:
    needs = preference.requirements.memory if preference.requirements is not None else None
    if needs is None:
        return None
    field, by, given = f"{_SPEC}.domain.memory", "VirtualMachine", "0"
    if types.instancetype is not None:
        field, by, given = "spec.instancetype", "instance type", str(types.instancetype.memory.guest)
    if spec.domain.memory is not None and spec.domain.memory.guest is not None:
        given = str(spec.domain.memory.guest)
    if (as_bytes(given) or 0) >= (as_bytes(needs.guest) or 0):
        return None
    return field, f"insufficient Memory resources of {given} provided by {by}, preference requires {needs.guest}"


def _architecture(preference: PreferenceSpec, spec: VirtualMachineInstanceSpec) -> Problem | None:
    needs = preference.requirements.architecture if preference.requirements is not None else ""
    if not needs or needs == spec.architecture:
        return None
    text = f"preference requires architecture {needs} but {spec.architecture} is being requested"
    return f"{_SPEC}.architecture", text
