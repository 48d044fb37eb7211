"""Whether this host, taken as a cluster's only node, is one that a VMI's spec lets it run on. Pure.

Source: Kubernetes pkg/scheduler/framework/plugins (nodeaffinity, interpodaffinity, podtopologyspread) and their words.
Preferences choose between nodes, and there is one: they never matter. The node has no taints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import (
    LabelSelector,
    NodeSelectorTerm,
    PodAffinityTerm,
    Requirement,
    TopologySpreadConstraint,
)

HOSTNAME = "kubernetes.io/hostname"
AFFINITY = "node(s) didn't match Pod's node affinity/selector"
PODS = "node(s) didn't match pod affinity rules"
ANTI = "node(s) didn't match pod anti-affinity rules"
EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"
SPREAD = "node(s) didn't match pod topology spread constraints"
CLAIMS = "cannot allocate all claims"


@dataclass(frozen=True, slots=True)
class Resident:
    """A VMI that is to be placed, or is there already. ``labels`` are the VMI's, as its pod would have them."""

    namespace: str
    labels: Mapping[str, str]
    spec: VirtualMachineInstanceSpec


@dataclass(frozen=True, slots=True)
class Node:
    """``namespaces`` are the labels of every namespace, which a namespaceSelector is compared with."""

    name: str
    labels: Mapping[str, str]
    namespaces: Mapping[str, Mapping[str, str]]


def problems(new: Resident, node: Node, residents: Sequence[Resident]) -> list[str]:
    """Every reason why the node cannot be chosen, in the scheduler's words; empty when it can."""
    found = [] if _node_matches(new.spec, node) else [AFFINITY]
    found += _pod_problems(new, node, residents)
    for constraint in new.spec.topology_spread_constraints:
        if constraint.when_unsatisfiable == "DoNotSchedule" and constraint.topology_key not in node.labels:
            found.append(f"{SPREAD} (missing required label)")
        elif constraint.when_unsatisfiable == "DoNotSchedule" and not _spread_fits(new, constraint, residents):
            found.append(SPREAD)
    if new.spec.resource_claims:
        found.append(CLAIMS)
    return list(dict.fromkeys(found))


def sentence(found: Iterable[str]) -> str:
    """ "0/1 nodes are available: 1 …, 1 ….", as kube-scheduler says it."""
    return "0/1 nodes are available: " + ", ".join(f"1 {reason}" for reason in found) + "."


def missing_labels(spec: VirtualMachineInstanceSpec, node: Node) -> list[str]:
    """Labels of the nodeSelector that the node has not, as "key=value"."""
    wanted = spec.node_selector.items()
    return [f"{key}={value}" for key, value in wanted if node.labels.get(key) != value]


def _node_matches(spec: VirtualMachineInstanceSpec, node: Node) -> bool:
    if missing_labels(spec, node):
        return False
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is None or affinity.required is None:
        return True
    return any(_term_matches(term, node) for term in affinity.required.node_selector_terms)


def _term_matches(term: NodeSelectorTerm, node: Node) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False  # an empty term matches nothing
    fields = {"metadata.name": node.name}
    return all(matches(one, node.labels) for one in term.match_expressions) and all(
        matches(one, fields) for one in term.match_fields
    )


def matches(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return _compares(requirement, value)


def _compares(requirement: Requirement, value: str | None) -> bool:
    try:
        number, bound = int(value or ""), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if requirement.operator == "Gt" else number < bound


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """None selects nothing, an empty selector everything."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        matches(one, labels) for one in selector.match_expressions
    )


def _pod_problems(new: Resident, node: Node, residents: Sequence[Resident]) -> list[str]:
    found: list[str] = []
    affinity = new.spec.affinity
    if affinity is not None and affinity.pod_affinity is not None:
        terms = affinity.pod_affinity.required
        if not all(_affine(term, terms, new, node, residents) for term in terms):
            found.append(PODS)
    if affinity is not None and affinity.pod_anti_affinity is not None:
        terms = affinity.pod_anti_affinity.required
        if any(_meets(term, new, other, node) for term in terms for other in residents):
            found.append(ANTI)
    if any(_meets(term, other, new, node) for other in residents for term in _anti_terms(other)):
        found.append(EXISTING)
    return found


def _anti_terms(resident: Resident) -> list[PodAffinityTerm]:
    affinity = resident.spec.affinity
    anti = affinity.pod_anti_affinity if affinity is not None else None
    return anti.required if anti is not None else []


def _affine(
    term: PodAffinityTerm, terms: list[PodAffinityTerm], new: Resident, node: Node, residents: Sequence[Resident]
) -> bool:
    """The first of a group, which its own terms describe, may come though nobody is there yet."""
    if term.topology_key not in node.labels:
        return False
    if any(_meets(term, new, other, node) for other in residents):
        return True
    anyone = any(_meets(one, new, other, node) for one in terms for other in residents)
    return not anyone and all(_meets(one, new, new, node) for one in terms)


def _meets(term: PodAffinityTerm, owner: Resident, other: Resident, node: Node) -> bool:
    """Whether ``other`` is one of those that ``owner``'s term speaks of, here on this node."""
    if term.topology_key not in node.labels or not selects(term.label_selector, other.labels):
        return False
    same = all(other.labels.get(key) == owner.labels.get(key) for key in term.match_label_keys)
    differ = all(other.labels.get(key) != owner.labels.get(key) for key in term.mismatch_label_keys)
    return same and differ and _in_scope(term, owner, other, node)


def _in_scope(term: PodAffinityTerm, owner: Resident, other: Resident, node: Node) -> bool:
    if not term.namespaces and term.namespace_selector is None:
        return other.namespace == owner.namespace
    labels = node.namespaces.get(other.namespace, {})
    return other.namespace in term.namespaces or selects(term.namespace_selector, labels)


def _spread_fits(new: Resident, constraint: TopologySpreadConstraint, residents: Sequence[Resident]) -> bool:
    """There is one domain, so it is the emptiest one as well: the skew is what ``minDomains`` makes of it."""

    def counts(other: Resident) -> bool:
        keys = all(other.labels.get(key) == new.labels.get(key) for key in constraint.match_label_keys)
        return other.namespace == new.namespace and keys and selects(constraint.label_selector, other.labels)

    mine = int(selects(constraint.label_selector, new.labels))
    there = sum(counts(other) for other in residents)
    least = 0 if (constraint.min_domains or 1) > 1 else there
    return there + mine - least <= constraint.max_skew
