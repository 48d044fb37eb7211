"""Rules for CPU, memory, machine and resources. Source: kubevirt admitters/vmi-create-admitter.go."""

from __future__ import annotations

import re
from fractions import Fraction

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes, shown
from solovirt.api.kubevirt.defaults import MAX_VCPUS
from solovirt.api.kubevirt.spec.compute import CPU, Memory, Quantity, ResourceRequirements
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.validation.text import check_expression
from solovirt.api.quantities import check_positive, checked

SMALLEST_MEMORY = 1_000_000
FEATURE_POLICIES = ("", "force", "require", "optional", "disable", "forbid")
MACHINES = ("q35*", "pc-q35*")
_MACHINE = re.compile(r"(pc-)?q35[A-Za-z0-9_.+-]{0,64}")
_HOTPLUG_ALIGNMENT = 2 * 1024 * 1024


def check_compute(causes: Causes, domain: Domain, field: str) -> None:
    """``field`` is the path of ``domain``."""
    _check_resources(causes, domain.resources, f"{field}.resources")
    _check_memory(causes, domain, field)
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
            if key not in ("cpu", "memory"):
                causes.known_unsupported(f"{field}.{name}.{key}")
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
    if memory.guest is None and not any(value not in (None, 0, "0") for value in asked):
        names = f"'{place}', '{field}.memory.hugepages.pageSize' or '{field}.resources.requests.memory'"
        causes.add(REQUIRED, place, f"no memory requested, at least one of {names} must be set")
    guest = check_positive(causes, memory.guest, place)
    if guest is not None and memory.guest is not None:
        check_least(causes, guest, memory.guest, place)
    most = check_positive(causes, memory.max_guest, f"{field}.memory.maxGuest")
    if most is None:
        return
    if guest is None:
        causes.add(INVALID, place, f"{place}: Guest memory must be configured when memory hotplug is enabled")
        return
    if guest > most:
        causes.add(INVALID, place, f"{place}: Guest memory is greater than the configured maxGuest memory")
    elif guest % _HOTPLUG_ALIGNMENT:
        causes.add(INVALID, place, f"{place}: Guest memory must be 2Mi aligned")
    if most % _HOTPLUG_ALIGNMENT:
        causes.add(INVALID, f"{field}.memory.maxGuest", f"{field}.memory.maxGuest: MaxGuest must be 2Mi aligned")


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
