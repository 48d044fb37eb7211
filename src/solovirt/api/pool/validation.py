"""Rules for a VirtualMachinePool. Source: kubevirt admitters/vmpool-admitter.go, and the enums of its CRD."""

from __future__ import annotations

import re

from solovirt.api.causes import INVALID, Causes
from solovirt.api.kubevirt.defaults import default_vm
from solovirt.api.kubevirt.validation.virtualmachine import validate_vm
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.labelselector import compile_node_requirements, compile_selector
from solovirt.api.meta import ObjectMeta
from solovirt.api.metadata import check_labels, check_metadata
from solovirt.api.pool.virtualmachinepool import Autohealing, PoolSpec, SelectionPolicy, VirtualMachinePool
from solovirt.api.replicas import add_below, check_replicas, check_selector
from solovirt.kit.durations import parse_go
from solovirt.kit.errors import Cause
from solovirt.kit.json import clone

SORT_POLICIES = ("AscendingOrder", "DescendingOrder", "Newest", "Oldest", "Random")
STATE_PRESERVATIONS = ("Disabled", "Offline", "Online")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def validate_pool(new: VirtualMachinePool, old: VirtualMachinePool | None) -> list[Cause]:
    """Every problem of a pool, and of the VMs that it would make. One that is being deleted is let through."""
    causes = Causes()
    if new.metadata.deletion_timestamp is not None:
        return causes.found
    spec = new.spec
    check_metadata(causes, new.metadata)
    check_replicas(causes, spec.replicas, "spec.replicas")
    _check_template(causes, new)
    check_selector(causes, spec.selector, spec.virtual_machine_template.metadata.labels, "spec.selector")
    _check_max_unavailable(causes, spec.max_unavailable)
    _check_strategies(causes, spec)
    if spec.autohealing is not None:
        _check_autohealing(causes, spec.autohealing)
    if old is not None and spec.selector != old.spec.selector:
        causes.add(INVALID, "spec.selector", "selector is immutable after creation.")
    return causes.found


def _check_template(causes: Causes, new: VirtualMachinePool) -> None:
    template = clone(new.spec.virtual_machine_template)
    made = VirtualMachine(metadata=ObjectMeta(name="pool-0", namespace=new.metadata.namespace), spec=template.spec)
    default_vm(made)
    add_below(causes, validate_vm(made, None), "spec.virtualMachineTemplate")
    check_labels(causes, template.metadata, field="spec.virtualMachineTemplate.metadata")


def _check_max_unavailable(causes: Causes, value: int | str | None) -> None:
    field = "spec.maxUnavailable"
    if value is None:
        return
    if isinstance(value, int):
        if value <= 0:
            causes.add(INVALID, field, "maxUnavailable must be greater than 0")
        return
    if not value.endswith("%"):
        causes.add(INVALID, field, "maxUnavailable percentage must end with %")
        return
    number = value.removesuffix("%")
    if not _INTEGER.fullmatch(number):
        problem = f'strconv.Atoi: parsing "{number}": invalid syntax'
        causes.add(INVALID, field, f'maxUnavailable percentage value "{number}" is invalid: {problem}')
    elif not 0 < int(number) <= 100:
        causes.add(INVALID, field, f"maxUnavailable percentage value {int(number)} must be between 1 and 100")


def _check_strategies(causes: Causes, spec: PoolSpec) -> None:
    scale_in, update = spec.scale_in_strategy, spec.update_strategy
    if scale_in is not None:
        for name, chosen in (("opportunistic", scale_in.opportunistic), ("proactive", scale_in.proactive)):
            if chosen is not None and chosen.state_preservation not in ("", *STATE_PRESERVATIONS):
                field = f"spec.scaleInStrategy.{name}.statePreservation"
                causes.not_supported(field, chosen.state_preservation, STATE_PRESERVATIONS)
        if scale_in.proactive is not None and scale_in.proactive.selection_policy is not None:
            _check_policy(causes, scale_in.proactive.selection_policy, "spec.scaleInStrategy.proactive.selectionPolicy")
    if update is not None and update.proactive is not None and update.proactive.selection_policy is not None:
        _check_policy(causes, update.proactive.selection_policy, "spec.updateStrategy.proactive.selectionPolicy")


def _check_policy(causes: Causes, policy: SelectionPolicy, field: str) -> None:
    if policy.sort_policy not in ("", *SORT_POLICIES):
        causes.not_supported(f"{field}.sortPolicy", policy.sort_policy, SORT_POLICIES)
    chosen = policy.selectors
    if chosen is None:
        return
    try:
        if chosen.label_selector is not None:
            compile_selector(chosen.label_selector)
    except ValueError as error:
        causes.add(INVALID, f"{field}.selectors.labelSelector", str(error))
    try:
        compile_node_requirements(chosen.node_selector_requirement_matcher or [])
    except ValueError as error:
        causes.add(INVALID, f"{field}.selectors.nodeSelectorRequirementMatcher", str(error))


def _check_autohealing(causes: Causes, healing: Autohealing) -> None:
    threshold, duration = healing.start_up_failure_threshold, healing.min_failing_to_start_duration
    if threshold is not None and threshold < 1:
        field = "spec.autohealing.startUpFailureThreshold"
        causes.invalid(field, threshold, f"{field} in body should be greater than or equal to 1")
    if duration:
        try:
            parse_go(duration)
        except ValueError as error:
            causes.invalid("spec.autohealing.minFailingToStartDuration", duration, str(error))
