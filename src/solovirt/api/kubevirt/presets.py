"""Presets merged into a new VMI. Source: kubevirt pkg/virt-api/webhooks/mutating-webhook/mutators/preset.go.

As there: requests, cpu, firmware, clock, features, watchdog and ioThreadsPolicy are merged, each as a whole where the
VMI has nothing of the kind. Two presets that differ keep the VMI from being made; where a VMI differs, its own stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.api.admission import Admission, Lookup
from solovirt.api.kubevirt.preset import VirtualMachineInstancePreset
from solovirt.api.kubevirt.preset_resource import RESOURCE as PRESETS
from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.labelselector import compile_selector
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import canonical, clone

APPLIED = "virtualmachinepreset.kubevirt.io/"
OVERRIDDEN = "virtualmachinepreset.solovirt.io/"
"""Annotation of a VMI: which parts of the preset of this name the VMI overrides."""
EXCLUDE = "virtualmachineinstancepresets.admission.kubevirt.io/exclude"
_WHOLE = ("cpu", "firmware", "features", "io_threads_policy")
_NAMES = {"io_threads_policy": "ioThreadsPolicy"}


def matching(vmi: VirtualMachineInstance, objects: Lookup) -> list[VirtualMachineInstancePreset]:
    """The presets of the VMI's namespace that select it, by name."""
    if vmi.metadata.annotations.get(EXCLUDE) == "true":
        return []
    found = objects.every(PRESETS, vmi.metadata.namespace)
    return [preset for preset in found if _selects(preset, vmi)]


def mutate(vmi: VirtualMachineInstance, old: VirtualMachineInstance | None, objects: Lookup) -> None:
    """Merges what is to be merged into a new VMI. Raises BadRequest for presets that conflict with one another."""
    if old is not None or not objects.every(PRESETS, vmi.metadata.namespace):
        return
    presets = matching(vmi, objects)
    _check_each_other(presets)
    for preset in presets:
        if preset.spec.domain is None:
            continue
        applied, overridden = merge(preset.spec.domain, vmi.spec.domain)
        if applied:
            vmi.metadata.annotations[f"{APPLIED}{preset.metadata.name}"] = PRESETS.api_version
        if overridden:
            vmi.metadata.annotations[f"{OVERRIDDEN}{preset.metadata.name}"] = "; ".join(overridden)


def merge(preset: Domain, domain: Domain) -> tuple[bool, list[str]]:
    """Changes ``domain``; whether any part of the preset holds in it now, and which parts differ."""
    overridden = conflicts(preset, domain)
    requests = preset.resources.requests
    if requests and not domain.resources.requests:
        domain.resources.requests = dict(requests)
    applied = bool(requests) and domain.resources.requests == requests
    for field in _WHOLE:
        wanted: object = getattr(preset, field)
        if wanted and not getattr(domain, field):
            setattr(domain, field, clone(wanted))
        applied = applied or (bool(wanted) and getattr(domain, field) == wanted)
    applied = _merge_clock(preset, domain) or applied
    watchdog = preset.devices.watchdog
    if watchdog is not None:
        domain.devices.watchdog = domain.devices.watchdog or clone(watchdog)
        applied = applied or domain.devices.watchdog == watchdog
    return applied, overridden


def _merge_clock(preset: Domain, domain: Domain) -> bool:
    if preset.clock is None:
        return False
    if domain.clock is None:
        domain.clock = clone(_offset(preset.clock))
    domain.clock.timer = domain.clock.timer or clone(preset.clock.timer)
    same_timer = preset.clock.timer is not None and domain.clock.timer == preset.clock.timer
    return same_timer or domain.clock == preset.clock


def conflicts(preset: Domain, domain: Domain) -> list[str]:
    """The parts that both have and that differ: ``spec.cpu: {...} != {...}``."""
    asked = domain.resources.requests
    found = [
        f"spec.resources.requests[{key}]: {value} != {asked[key]}"
        for key, value in preset.resources.requests.items()
        if key in asked and asked[key] != value
    ]
    pairs: list[tuple[str, object, object]] = [
        (_NAMES.get(field, field), getattr(preset, field), getattr(domain, field)) for field in _WHOLE
    ]
    if preset.clock is not None and domain.clock is not None:
        pairs.append(("clock.clockoffset", _offset(preset.clock), _offset(domain.clock)))
        pairs.append(("clock.timer", preset.clock.timer, domain.clock.timer))
    pairs.append(("devices.watchdog", preset.devices.watchdog, domain.devices.watchdog))
    for name, wanted, present in pairs:
        if wanted and present and wanted != present:
            found.append(f"spec.{name}: {canonical(wanted).decode()} != {canonical(present).decode()}")
    return found


def _offset(clock: Clock) -> Clock:
    return Clock(utc=clock.utc, timezone=clock.timezone)


def _check_each_other(presets: Sequence[VirtualMachineInstancePreset]) -> None:
    problems: list[str] = []
    for index, preset in enumerate(presets):
        for former in presets[:index]:
            if preset.spec.domain is None or former.spec.domain is None:
                continue
            if found := conflicts(preset.spec.domain, former.spec.domain):
                names = f"'{preset.metadata.name}' and '{former.metadata.name}'"
                problems.append(f"presets {names} conflict: {', '.join(found)}")
    if problems:
        raise BadRequest(f"VirtualMachinePresets cannot be applied due to conflicts: {'; '.join(problems)}")


def _selects(preset: VirtualMachineInstancePreset, vmi: VirtualMachineInstance) -> bool:
    try:
        return compile_selector(preset.spec.selector).matches(vmi.metadata.labels)
    except ValueError:
        return False


ADMISSION: Admission[VirtualMachineInstance] = Admission(mutate=mutate)
