"""Rules for what a cluster would choose a node by: selectors, affinity, tolerations, spread, claims.

Source: Kubernetes pkg/apis/core/validation, which KubeVirt asks with a pod made for the purpose.
"""

from __future__ import annotations

from collections.abc import Iterable

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import (
    Affinity,
    LabelSelector,
    NodeSelectorTerm,
    PodAffinityTerm,
    Requirement,
    ResourceClaim,
    Toleration,
    TopologySpreadConstraint,
)
from solovirt.api.kubevirt.validation.text import check_reference
from solovirt.kit.names import key_problem, label_problem, label_value_problem, subdomain_problem

NODE_OPERATORS = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")
SELECTOR_OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")
TOLERATION_OPERATORS = ("Equal", "Exists")
EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
POLICIES = ("Honor", "Ignore")
NODE_NAME = "metadata.name"
MOST = 256


def check_scheduling(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of ``spec``."""
    for key, value in spec.node_selector.items():
        _check_key(causes, key, f"{field}.nodeSelector")
        _check_value(causes, value, f"{field}.nodeSelector")
    if spec.affinity is not None:
        _check_affinity(causes, spec.affinity, f"{field}.affinity")
    for index, toleration in _bounded(causes, spec.tolerations, f"{field}.tolerations"):
        _check_toleration(causes, toleration, f"{field}.tolerations[{index}]")
    _check_spread(causes, spec.topology_spread_constraints, f"{field}.topologySpreadConstraints")
    for name, value in (("schedulerName", spec.scheduler_name), ("priorityClassName", spec.priority_class_name)):
        if value and (problem := subdomain_problem(value)):
            causes.invalid(f"{field}.{name}", value, problem)
    _check_claims(causes, spec.resource_claims, f"{field}.resourceClaims")


def _bounded(causes: Causes, found: list[Toleration], field: str) -> Iterable[tuple[int, Toleration]]:
    if len(found) > MOST:
        causes.invalid(field, len(found), f"must have at most {MOST} items")
    return enumerate(found[:MOST])


def _check_affinity(causes: Causes, affinity: Affinity, field: str) -> None:
    node = affinity.node_affinity
    if node is not None:
        place = f"{field}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        if node.required is not None and not node.required.node_selector_terms:
            causes.required(place, "must have at least one node selector term")
        for index, term in enumerate(node.required.node_selector_terms if node.required is not None else []):
            _check_node_term(causes, term, f"{place}[{index}]")
        for index, preferred in enumerate(node.preferred):
            place = f"{field}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            _check_weight(causes, preferred.weight, place)
            _check_node_term(causes, preferred.preference, f"{place}.preference")
    for name, pods in (("podAffinity", affinity.pod_affinity), ("podAntiAffinity", affinity.pod_anti_affinity)):
        if pods is None:
            continue
        for index, required in enumerate(pods.required):
            place = f"{field}.{name}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"
            _check_pod_term(causes, required, place)
        for index, weighted in enumerate(pods.preferred):
            place = f"{field}.{name}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
            _check_weight(causes, weighted.weight, place)
            _check_pod_term(causes, weighted.pod_affinity_term, f"{place}.podAffinityTerm")


def _check_weight(causes: Causes, weight: int, field: str) -> None:
    if not 1 <= weight <= 100:
        causes.invalid(f"{field}.weight", weight, "must be in the range 1-100")


def _check_node_term(causes: Causes, term: NodeSelectorTerm, field: str) -> None:
    for index, requirement in enumerate(term.match_expressions):
        _check_node_requirement(causes, requirement, f"{field}.matchExpressions[{index}]")
    for index, requirement in enumerate(term.match_fields):
        place = f"{field}.matchFields[{index}]"
        if requirement.key != NODE_NAME:
            causes.invalid(f"{place}.key", requirement.key, "not a valid field selector key")
        if requirement.operator not in ("In", "NotIn"):
            causes.invalid(f"{place}.operator", requirement.operator, "not a valid selector operator")
        elif len(requirement.values) != 1:
            causes.required(
                f"{place}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field"
            )


def _check_node_requirement(causes: Causes, requirement: Requirement, field: str) -> None:
    _check_key(causes, requirement.key, f"{field}.key")
    if requirement.operator in ("Gt", "Lt"):
        if len(requirement.values) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.required(f"{field}.values", text)
        elif not requirement.values[0].lstrip("-").isdecimal() or len(requirement.values[0]) > 18:
            causes.invalid(f"{field}.values", requirement.values[0], "must be a number when `operator` is 'Lt' or 'Gt'")
        return
    if requirement.operator not in NODE_OPERATORS:
        causes.invalid(f"{field}.operator", requirement.operator, "not a valid selector operator")
    _check_values(causes, requirement, field)


def check_selector(causes: Causes, selector: LabelSelector | None, field: str) -> None:
    """A selector of objects by their labels."""
    if selector is None:
        return
    for key, value in selector.match_labels.items():
        _check_key(causes, key, f"{field}.matchLabels")
        _check_value(causes, value, f"{field}.matchLabels")
    for index, requirement in enumerate(selector.match_expressions):
        place = f"{field}.matchExpressions[{index}]"
        _check_key(causes, requirement.key, f"{place}.key")
        if requirement.operator not in SELECTOR_OPERATORS:
            causes.invalid(f"{place}.operator", requirement.operator, "not a valid selector operator")
        _check_values(causes, requirement, place)


def _check_values(causes: Causes, requirement: Requirement, field: str) -> None:
    if requirement.operator in ("In", "NotIn") and not requirement.values:
        causes.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    if requirement.operator in ("Exists", "DoesNotExist") and requirement.values:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        causes.forbidden(f"{field}.values", text)
    for index, value in enumerate(requirement.values):
        _check_value(causes, value, f"{field}.values[{index}]")


def _check_pod_term(causes: Causes, term: PodAffinityTerm, field: str) -> None:
    if not term.topology_key:
        causes.required(f"{field}.topologyKey", "can not be empty")
    else:
        _check_key(causes, term.topology_key, f"{field}.topologyKey")
    check_selector(causes, term.label_selector, f"{field}.labelSelector")
    check_selector(causes, term.namespace_selector, f"{field}.namespaceSelector")
    for name in term.namespaces:
        if problem := label_problem(name):
            causes.invalid(f"{field}.namespaces", name, problem)
    for name, keys in (("matchLabelKeys", term.match_label_keys), ("mismatchLabelKeys", term.mismatch_label_keys)):
        for key in keys:
            _check_key(causes, key, f"{field}.{name}")
        if keys and term.label_selector is None:
            causes.forbidden(f"{field}.{name}", "must not be specified when labelSelector is not set")


def _check_toleration(causes: Causes, toleration: Toleration, field: str) -> None:
    if toleration.key:
        _check_key(causes, toleration.key, f"{field}.key")
    elif toleration.operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.invalid(f"{field}.operator", toleration.operator, text)
    if toleration.operator not in ("", *TOLERATION_OPERATORS):
        causes.not_supported(f"{field}.operator", toleration.operator, TOLERATION_OPERATORS)
    elif toleration.operator == "Exists" and toleration.value:
        causes.invalid(f"{field}.operator", toleration.value, "value must be empty when `operator` is 'Exists'")
    elif toleration.value and (problem := label_value_problem(toleration.value)):
        causes.invalid(f"{field}.operator", toleration.value, problem)
    if toleration.effect not in ("", *EFFECTS):
        causes.not_supported(f"{field}.effect", toleration.effect, EFFECTS)
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        causes.invalid(f"{field}.effect", toleration.effect, text)


def _check_spread(causes: Causes, constraints: list[TopologySpreadConstraint], field: str) -> None:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(constraints):
        place = f"{field}[{index}]"
        if one.max_skew <= 0:
            causes.invalid(f"{place}.maxSkew", one.max_skew, "must be greater than zero")
        if not one.topology_key:
            causes.required(f"{place}.topologyKey", "can not be empty")
        else:
            _check_key(causes, one.topology_key, f"{place}.topologyKey")
        if one.when_unsatisfiable not in UNSATISFIABLE:
            causes.not_supported(f"{place}.whenUnsatisfiable", one.when_unsatisfiable, UNSATISFIABLE)
        if (one.topology_key, one.when_unsatisfiable) in seen:
            text = f"{{{one.topology_key}, {one.when_unsatisfiable}}}"
            causes.duplicate(f"{place}.{{topologyKey, whenUnsatisfiable}}", text)
        seen.add((one.topology_key, one.when_unsatisfiable))
        if one.min_domains is not None and one.min_domains <= 0:
            causes.invalid(f"{place}.minDomains", one.min_domains, "must be greater than zero")
        elif one.min_domains is not None and one.when_unsatisfiable != "DoNotSchedule":
            text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {one.when_unsatisfiable}"
            causes.invalid(f"{place}.minDomains", one.min_domains, text)
        for name, policy in (
            ("nodeAffinityPolicy", one.node_affinity_policy),
            ("nodeTaintsPolicy", one.node_taints_policy),
        ):
            if policy not in ("", *POLICIES):
                causes.not_supported(f"{place}.{name}", policy, POLICIES)
        check_selector(causes, one.label_selector, f"{place}.labelSelector")
        for key in one.match_label_keys:
            _check_key(causes, key, f"{place}.matchLabelKeys")


def _check_claims(causes: Causes, claims: list[ResourceClaim], field: str) -> None:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        place = f"{field}[{index}]"
        if problem := label_problem(claim.name):
            causes.invalid(f"{place}.name", claim.name, problem)
        elif claim.name in seen:
            causes.duplicate(f"{place}.name", claim.name)
        seen.add(claim.name)
        if bool(claim.resource_claim_name) == bool(claim.resource_claim_template_name):
            text = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            causes.invalid(place, claim.name, text)
        for name, value in (
            ("resourceClaimName", claim.resource_claim_name),
            ("resourceClaimTemplateName", claim.resource_claim_template_name),
        ):
            if value:
                check_reference(causes, value, f"{place}.{name}")


def _check_key(causes: Causes, key: str, field: str) -> None:
    if problem := key_problem(key):
        causes.invalid(field, key, problem)


def _check_value(causes: Causes, value: str, field: str) -> None:
    if problem := label_value_problem(value):
        causes.invalid(field, value, problem)
