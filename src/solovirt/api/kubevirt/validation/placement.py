"""Rules for CPUs of one's own: dedicated placement, NUMA passthrough, real time.

Source: kubevirt admitters/vmi-create-admitter.go (validateCpuPinning, validateNUMA, validateRealtime) and its messages.
"""

from __future__ import annotations

import re
from fractions import Fraction

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.spec.compute import CPU, Quantity
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.kit import quantity

MASK_MAX = 256
_MASK = re.compile(r"\^?[0-9]{1,4}(-[0-9]{1,4})?(,\^?[0-9]{1,4}(-[0-9]{1,4})?)*", re.ASCII)


def check_placement(causes: Causes, domain: Domain, field: str) -> None:
    """``field`` is the path of ``domain``."""
    cpu = domain.cpu
    if cpu is None:
        return
    if cpu.dedicated_cpu_placement:
        _check_amounts(causes, domain, field)
        _check_counts(causes, domain, cpu, field)
    elif cpu.isolate_emulator_thread:
        text = "IsolateEmulatorThread should be only set in combination with DedicatedCPUPlacement"
        causes.add(INVALID, f"{field}.cpu.isolateEmulatorThread", text)
    if cpu.numa is not None and cpu.numa.guest_mapping_passthrough is not None:
        _check_numa(causes, domain, cpu, field)
    if cpu.realtime is not None:
        _check_realtime(causes, cpu, f"{field}.cpu")


def _check_amounts(causes: Causes, domain: Domain, field: str) -> None:
    place, resources = f"{field}.resources", domain.resources
    memory = domain.memory
    given = memory is not None and (memory.hugepages is not None or _number(memory.guest))
    if not given and not any(_number(group.get("memory")) for group in (resources.limits, resources.requests)):
        text = (
            f"{place}.requests.memory, {place}.limits.memory, {field}.memory.hugepages or {field}.memory.guest"
            " should be provided"
        )
        causes.add(INVALID, f"{place}.limits.memory", text)
    for name, group in (("requests", resources.requests), ("limits", resources.limits)):
        if _number(group.get("cpu")).denominator != 1:
            text = f"provided resources CPU {name} must be an interger"
            causes.add(INVALID, f"{place}.{name}.cpu", text)
    asked, most = _number(resources.requests.get("memory")), _number(resources.limits.get("memory"))
    if asked and most and asked != most:
        text = f"{place}.requests.memory must be equal to {place}.limits.memory"
        causes.add(INVALID, f"{place}.requests.memory", text)


def _check_counts(causes: Causes, domain: Domain, cpu: CPU, field: str) -> None:
    place, dedicated = f"{field}.resources", f"{field}.cpu.dedicatedCpuPlacement"
    asked, most = (_number(group.get("cpu")) for group in (domain.resources.requests, domain.resources.limits))
    written = any(count for count in (cpu.sockets, cpu.cores, cpu.threads))
    vcpus = (cpu.sockets or 1) * (cpu.cores or 1) * (cpu.threads or 1) if written else 0
    names = f"{place}.requests.cpu or {place}.limits.cpu"
    if not asked and not most and not vcpus:
        text = f"either {names} or {field}.cpu.cores must be provided when DedicatedCPUPlacement is true "
        causes.add(INVALID, dedicated, text)
    if asked and most and asked != most:
        causes.add(INVALID, dedicated, f"{names} must be equal when DedicatedCPUPlacement is true ")
    if (asked or most) and vcpus and vcpus not in (asked, most):
        text = (
            f"{names} must not be provided at the same time with {field}.cpu.cores when DedicatedCPUPlacement is true "
        )
        causes.add(INVALID, dedicated, text)
    if cpu.threads is not None and cpu.threads > 2:
        text = f"Not more than two threads must be provided at {field}.cpu.threads (got {cpu.threads})"
        causes.add(INVALID, dedicated, f"{text} when DedicatedCPUPlacement is true")


def _check_numa(causes: Causes, domain: Domain, cpu: CPU, field: str) -> None:
    place = f"{field}.cpu.numa.guestMappingPassthrough"
    if not cpu.dedicated_cpu_placement:
        text = f"{field}.cpu.dedicatedCpuPlacement must be set to true when NUMA topology strategy is set in {place}"
        causes.add(INVALID, place, text)
    if domain.memory is None or domain.memory.hugepages is None:
        text = f"{field}.memory.hugepages must be requested when NUMA topology strategy is set in {place}"
        causes.add(INVALID, place, text)


def _check_realtime(causes: Causes, cpu: CPU, field: str) -> None:
    if not cpu.dedicated_cpu_placement:
        place = f"{field}.dedicatedCpuPlacement"
        causes.add(REQUIRED, place, f"{place} must be set to true when {field}.realtime is used")
    if cpu.numa is None or cpu.numa.guest_mapping_passthrough is None:
        place = f"{field}.numa.guestMappingPassthrough"
        causes.add(REQUIRED, place, f"{place} must be defined when {field}.realtime is used")
    mask = cpu.realtime.mask if cpu.realtime is not None else ""
    if mask and (len(mask) > MASK_MAX or not _MASK.fullmatch(mask)):
        causes.invalid(f"{field}.realtime.mask", mask, "must name vCPUs like 0-3,^1")


def _number(value: Quantity | None) -> Fraction:
    """0 for what is missing or wrong; what is wrong is named elsewhere."""
    try:
        return quantity.parse(value) if value is not None else Fraction(0)
    except ValueError:
        return Fraction(0)
