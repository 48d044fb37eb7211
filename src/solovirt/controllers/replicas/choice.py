"""Which VMs of a pool: those to give up or to renew first, those that fail to start, how many may be down. Pure.

Source: kubevirt pkg/virt-controller/watch/pool/pool.go.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime

from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.labelselector import compile_node_requirements, compile_selector
from solovirt.api.meta import find_condition
from solovirt.api.pool.virtualmachinepool import Autohealing, PoolSpec, SelectionPolicy
from solovirt.api.replicas import wanted_replicas
from solovirt.controllers.replicas.stamp import index_of
from solovirt.kit import timestamps
from solovirt.kit.durations import parse_go

FAILURE_THRESHOLD = 3
FAILING_SECONDS = 300.0
FAILING = (
    "CrashLoopBackOff",
    "ErrorUnschedulable",
    "DataVolumeError",
    "ErrorPvcNotFound",
    "ErrImagePull",
    "ImagePullBackOff",
)
"""What a VM shows (printableStatus) while it fails to start."""


def is_ready(vm: VirtualMachine) -> bool:
    found = find_condition(vm.status.conditions, "Ready")
    return found is not None and found.status == "True"


def selected(vms: Iterable[VirtualMachine], policy: SelectionPolicy | None) -> list[VirtualMachine]:
    """The VMs that the policy's selectors match."""
    chosen = policy.selectors if policy is not None else None
    found = list(vms)
    if chosen is not None and chosen.label_selector is not None:
        labels = compile_selector(chosen.label_selector)
        found = [vm for vm in found if labels.matches(vm.spec.template.metadata.labels)]
    if chosen is not None and chosen.node_selector_requirement_matcher is not None:
        nodes = compile_node_requirements(chosen.node_selector_requirement_matcher)
        found = [vm for vm in found if nodes.matches(vm.spec.template.spec.node_selector)]
    return found


def in_order(vms: Iterable[VirtualMachine], policy: SelectionPolicy | None) -> list[VirtualMachine]:
    """Those to be taken first are first; without a policy any may be."""
    found = sorted(vms, key=lambda vm: index_of(vm.metadata.name))
    match policy.sort_policy if policy is not None else "":
        case "AscendingOrder":
            pass
        case "DescendingOrder":
            found.reverse()
        case "Oldest":
            found.sort(key=_created)
        case "Newest":
            found.sort(key=_created, reverse=True)
        case _:
            random.shuffle(found)
    return found


def _created(vm: VirtualMachine) -> str:
    return vm.metadata.creation_timestamp or ""


def max_unavailable(spec: PoolSpec) -> int:
    """How many VMs of the pool may be down during an update; at least one."""
    value = "100%" if spec.max_unavailable is None else spec.max_unavailable
    if isinstance(value, str):
        value = wanted_replicas(spec.replicas) * int(value.removesuffix("%")) // 100
    return max(value, 1)


def seconds_to_heal(vm: VirtualMachine, healing: Autohealing, now: datetime) -> float | None:
    """When a VM that fails to start is to be replaced: 0 for now, None for one that does not fail."""
    threshold = healing.start_up_failure_threshold or FAILURE_THRESHOLD
    failure = vm.status.start_failure
    if failure is not None and failure.consecutive_fail_count >= threshold:
        return 0.0
    ready = find_condition(vm.status.conditions, "Ready")
    if vm.status.printable_status not in FAILING or ready is None or ready.status != "False":
        return None
    if not ready.last_transition_time:
        return None
    text = healing.min_failing_to_start_duration
    patience = parse_go(text) if text else FAILING_SECONDS
    return max(0.0, patience - (now - timestamps.parse(ready.last_transition_time)).total_seconds())
