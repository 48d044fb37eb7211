"""How the vCPUs of an instancetype become sockets, cores and threads. Pure.

Source: kubevirt pkg/instancetype/apply/cpu.go, preference/apply/cpu.go, preference/validation/cpu.go.
"""

from __future__ import annotations

from typing import NamedTuple

from solovirt.api.instancetype.preference import PreferenceSpec

SOCKETS, CORES, THREADS, SPREAD, ANY = "sockets", "cores", "threads", "spread", "any"
DEPRECATED = {f"prefer{name.capitalize()}": name for name in (SOCKETS, CORES, THREADS, SPREAD, ANY)}
TOPOLOGIES = (*DEPRECATED, SOCKETS, CORES, THREADS, SPREAD, ANY)

SOCKETS_CORES, SOCKETS_CORES_THREADS, CORES_THREADS = "SocketsCores", "SocketsCoresThreads", "CoresThreads"
ACROSS = (CORES_THREADS, SOCKETS_CORES, SOCKETS_CORES_THREADS)
DEFAULT_RATIO = 2
THREADS_PER_CORE = 2


class Topology(NamedTuple):
    sockets: int
    cores: int
    threads: int


class Spread(NamedTuple):
    ratio: int
    across: str


def preferred(preference: PreferenceSpec | None) -> str:
    """sockets, cores, threads, spread or any; what is not known counts as it is written."""
    if preference is None or preference.cpu is None or not preference.cpu.preferred_cpu_topology:
        return SOCKETS
    name = preference.cpu.preferred_cpu_topology
    return DEPRECATED.get(name, name)


def spread_of(preference: PreferenceSpec) -> Spread:
    """The older ``preferSpreadSocketToCoreRatio`` gives way to ``spreadOptions``."""
    options = preference.cpu.spread_options if preference.cpu is not None else None
    ratio = preference.prefer_spread_socket_to_core_ratio or DEFAULT_RATIO
    if options is None:
        return Spread(ratio, SOCKETS_CORES)
    return Spread(ratio if options.ratio is None else options.ratio, options.across or SOCKETS_CORES)


def topology(vcpus: int, preference: PreferenceSpec | None) -> Topology:
    """``vcpus`` that do not divide are rounded down, as KubeVirt does where admission let them through."""
    if vcpus == 1:
        return Topology(1, 1, 1)
    match preferred(preference):
        case "cores":
            return Topology(1, vcpus, 1)
        case "threads":
            return Topology(1, 1, vcpus)
        case "spread":
            assert preference is not None, "only a preference asks for it"
            return _spread(vcpus, spread_of(preference))
        case _:
            return Topology(vcpus, 1, 1)


def _spread(vcpus: int, spread: Spread) -> Topology:
    ratio = max(spread.ratio, 1)
    match spread.across:
        case "CoresThreads":
            return Topology(1, vcpus // ratio, ratio)
        case "SocketsCoresThreads":
            return Topology(vcpus // THREADS_PER_CORE // ratio, ratio, THREADS_PER_CORE)
        case _:
            return Topology(vcpus // ratio, ratio, 1)


def spread_problem(vcpus: int, preference: PreferenceSpec | None) -> str:
    """Why so many vCPUs cannot be spread as the preference says, in KubeVirt's words; "" when they can."""
    if preference is None or preferred(preference) != SPREAD:
        return ""
    ratio, across = spread_of(preference)
    ratio = max(ratio, 1)
    given = f"{vcpus} vCPUs provided by the instance type are not divisible by the"
    names = f"Spec.PreferSpreadSocketToCoreRatio or Spec.CPU.PreferSpreadOptions.Ratio of {ratio}"
    if across == SOCKETS_CORES and vcpus % ratio:
        return f"{given} {names} provided by the preference"
    if across == CORES_THREADS and vcpus % ratio:
        return f"{given} number of threads per core {ratio}"
    if across == SOCKETS_CORES_THREADS and (vcpus % THREADS_PER_CORE or vcpus // THREADS_PER_CORE % ratio):
        return f"{given} number of threads per core {THREADS_PER_CORE} and {names}"
    return ""
