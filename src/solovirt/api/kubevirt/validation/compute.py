"""Rules for CPU, memory, machine and resources. Source: kubevirt admitters/vmi-create-admitter.go."""

from __future__ import annotations

import re
from fractions import Fraction

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes, shown
from solovirt.api.kubevirt.defaulting.compute import MAX_VCPUS, growth_problem
from solovirt.api.kubevirt.spec.compute import CPU, Chassis, Memory, Quantity, ResourceRequirements
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.placement import check_placement
from solovirt.api.kubevirt.validation.text import check_expression, check_printable
from solovirt.api.quantities import as_bytes, check_positive, checked
from solovirt.kit.quantity import to_bytes

SMALLEST_MEMORY = 1_000_000
FEATURE_POLICIES = ("", "force", "require", "optional", "disable", "forbid")
MACHINES = ("q35*", "pc-q35*")
_MACHINE = re.compile(r"(pc-)?q35[A-Za-z0-9_.+-]{0,64}")
PAGE_SIZES = {"2Mi": 2 * 1024**2, "1Gi": 1024**3}
"""Sizes of huge pages that x86-64 has."""
MEMORY_LOCKS = ("NotRequired", "Required")
CHASSIS_MAX = 255
"""Characters of an SMBIOS string that every guest reads whole."""
_RESOURCE = re.compile(r"ephemeral-storage|hugepages-[0-9]+[KMG]i|[a-z0-9.-]{1,253}/[A-Za-z0-9._-]{1,63}", re.ASCII)


def check_compute(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of ``spec.domain``."""
    domain = spec.domain
    _check_resources(causes, domain.resources, f"{field}.resources")
    _check_memory(causes, domain, field)
    _check_growth(causes, spec, f"{field}.memory")
    _check_hugepages(causes, domain, field)
    _check_overhead(causes, domain.memory, f"{field}.memory.reservedOverhead")
    check_placement(causes, domain, field)
    _check_chassis(causes, domain.chassis, f"{field}.chassis")
    if domain.cpu is not None:
        _check_cpu(causes, domain.cpu, f"{field}.cpu")
    machine = domain.machine.type if domain.machine is not None else ""
    if machine and not _MACHINE.fullmatch(machine):
        place = f"{field}.machine.type"
        text = f"{place} is not supported: {machine!r} (allowed values: [{' '.join(MACHINES)}])"
        causes.add(INVALID, place, text)


def _check_resources(causes: Causes, resources: ResourceRequirements, field: str) -> None:
    for name, group in (("requests", resources.requests), ("limits", resources.limits)):
        for key in group:
            if key in ("cpu", "memory"):
                continue
            if _RESOURCE.fullmatch(key):
                _amount(causes, group[key], f"{field}.{name}.{key}")
            else:
                place, problem = f"{field}.{name}", "must be a standard resource for containers or a qualified name"
                causes.invalid(place, key, problem)
    for key in ("cpu", "memory"):
        request = _amount(causes, resources.requests.get(key), f"{field}.requests.{key}")
        limit = _amount(causes, resources.limits.get(key), f"{field}.limits.{key}")
        if request is not None and limit and request > limit:
            place = f"{field}.requests.{key}"
            asked, most = shown(resources.requests[key]), shown(resources.limits[key])
            text = f"{place} '{asked}' is greater than {field}.limits.{key} '{most}'"
            causes.add(INVALID, place, text)
        if key == "cpu" and max(request or 0, limit or 0) > MAX_VCPUS:
            causes.add(INVALID, f"{field}.requests.cpu", f"{field}: more than {MAX_VCPUS} CPUs")
        if key == "memory" and request:
            check_least(causes, request, resources.requests[key], f"{field}.requests.memory")


def _amount(causes: Causes, value: Quantity | None, field: str) -> Fraction | None:
    number = checked(causes, value, field)
    if number is not None and number < 0:
        causes.add(INVALID, field, f"{field} '{shown(value)}': must be greater than or equal to 0.")
        return None
    return number


def check_least(causes: Causes, number: Fraction, value: Quantity, field: str) -> None:
    if number < SMALLEST_MEMORY:
        causes.add(INVALID, field, f"{field} '{shown(value)}': must be greater than or equal to 1M.")


def _check_memory(causes: Causes, domain: Domain, field: str) -> None:
    memory = domain.memory or Memory()
    resources = domain.resources
    place = f"{field}.memory.guest"
    asked = (resources.requests.get("memory"), resources.limits.get("memory"))
    unasked = memory.guest is None and memory.hugepages is None
    if unasked and not any(value not in (None, 0, "0") for value in asked):
        names = f"'{place}', '{field}.memory.hugepages.pageSize' or '{field}.resources.requests.memory'"
        causes.add(REQUIRED, place, f"no memory requested, at least one of {names} must be set")
    guest = check_positive(causes, memory.guest, place)
    if guest is not None and memory.guest is not None:
        check_least(causes, guest, memory.guest, place)
    check_positive(causes, memory.max_guest, f"{field}.memory.maxGuest")


def _check_growth(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """KubeVirt says so when the VM is made: a machine that cannot grow would only fail later."""
    memory = spec.domain.memory
    most = as_bytes(memory.max_guest) if memory is not None else None
    if memory is None or most is None or most <= 0:
        return
    guest = as_bytes(memory.guest)
    if (guest is None or guest > 0) and (problem := growth_problem(spec, guest, most)):
        causes.add(INVALID, f"{field}.guest", f"{field}.guest: {problem}")


def _check_hugepages(causes: Causes, domain: Domain, field: str) -> None:
    memory = domain.memory
    if memory is None or memory.hugepages is None:
        return
    place, size = f"{field}.memory.hugepages.pageSize", memory.hugepages.page_size
    try:
        page = to_bytes(size)
    except ValueError as error:
        causes.add(INVALID, place, f"{place} '{shown(size)}': {error}")
        return
    if page not in PAGE_SIZES.values():
        causes.not_supported(place, size, PAGE_SIZES)
        return
    requests, limits = domain.resources.requests, domain.resources.limits
    amounts = (
        ("resources.requests.memory", requests.get("memory")),
        ("memory.guest", memory.guest),
        ("resources.limits.memory", limits.get("memory")),
    )
    for name, amount in amounts:
        if asked := as_bytes(amount):
            _check_pages(causes, (f"{field}.{name}", shown(amount), asked), (place, size, page))
            return


def _check_pages(causes: Causes, memory: tuple[str, str, int], pages: tuple[str, str, int]) -> None:
    """Both are (path, as written, bytes)."""
    (name, asked, count), (place, size, page) = memory, pages
    if count < page:
        causes.add(INVALID, name, f"{name} '{asked}' must be equal to or larger than page size {place} '{size}'")
    elif count % page:
        causes.add(INVALID, name, f"{name} '{asked}' is not a multiple of the page size {place} '{size}'")


def _check_overhead(causes: Causes, memory: Memory | None, field: str) -> None:
    overhead = memory.reserved_overhead if memory is not None else None
    if overhead is None:
        return
    _amount(causes, overhead.added_overhead, f"{field}.addedOverhead")
    if overhead.mem_lock not in ("", *MEMORY_LOCKS):
        causes.not_supported(f"{field}.memLock", overhead.mem_lock, MEMORY_LOCKS)


def _check_chassis(causes: Causes, chassis: Chassis | None, field: str) -> None:
    for name in ("manufacturer", "version", "serial", "asset", "sku"):
        if chassis is not None:
            check_printable(causes, getattr(chassis, name), f"{field}.{name}", CHASSIS_MAX)


def _check_cpu(causes: Causes, cpu: CPU, field: str) -> None:
    counts = {"cores": cpu.cores, "sockets": cpu.sockets, "threads": cpu.threads, "maxSockets": cpu.max_sockets}
    wrong = [name for name, count in counts.items() if count is not None and count < 1]
    for name in wrong:
        causes.invalid(f"{field}.{name}", counts[name], "must be greater than or equal to 1")
    if not wrong:
        _check_topology(causes, cpu, field)
    if cpu.model:
        check_expression(causes, cpu.model, f"{field}.model")
    seen: set[str] = set()
    for index, feature in enumerate(cpu.features):
        place = f"{field}.features[{index}]"
        check_expression(causes, feature.name, f"{place}.name")
        if feature.name in seen:
            causes.duplicate(f"{place}.name", feature.name)
        seen.add(feature.name)
        if feature.policy not in FEATURE_POLICIES:
            text = f"CPU feature {feature.name!r} uses policy {feature.policy!r} that is not supported."
            causes.add(NOT_SUPPORTED, f"{place}.policy", f"{place}.policy: {text}")


def _check_topology(causes: Causes, cpu: CPU, field: str) -> None:
    sockets, per_socket = cpu.sockets or 1, (cpu.cores or 1) * (cpu.threads or 1)
    if cpu.max_sockets is not None and sockets > cpu.max_sockets:
        text = "Number of sockets in CPU topology is greater than the maximum sockets allowed"
        causes.add(INVALID, f"{field}.sockets", f"{field}.sockets: {text}")
    if sockets * per_socket > MAX_VCPUS:
        text = f"{field}: sockets x cores x threads is {shown(sockets * per_socket)}, more than {MAX_VCPUS}"
        causes.add(INVALID, field, text)
    elif cpu.max_sockets is not None and cpu.max_sockets * per_socket > MAX_VCPUS:
        place = f"{field}.maxSockets"
        causes.invalid(place, cpu.max_sockets, f"maxSockets x cores x threads is more than {MAX_VCPUS}")
