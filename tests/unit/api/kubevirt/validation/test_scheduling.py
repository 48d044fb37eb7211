from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PreferredSchedulingTerm,
    Requirement,
    ResourceClaim,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from solovirt.api.kubevirt.validation.scheduling import check_scheduling

Spec = VirtualMachineInstanceSpec
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def fields(spec: Spec) -> list[str]:
    causes = Causes()
    check_scheduling(causes, spec, "spec")
    return [cause.field for cause in causes.found]


def node(*requirements: Requirement, fields: tuple[Requirement, ...] = ()) -> Affinity:
    term = NodeSelectorTerm(match_expressions=list(requirements), match_fields=list(fields))
    return Affinity(node_affinity=NodeAffinity(required=NodeSelector(node_selector_terms=[term])))


def test_everything_at_once_is_fine() -> None:
    selector = LabelSelector(match_labels={"app": "x"}, match_expressions=[Requirement(key="tier", operator="Exists")])
    pods = PodAffinityTerm(topology_key="kubernetes.io/hostname", label_selector=selector, namespaces=["a"])
    affinity = node(
        Requirement(key="a", operator="In", values=["b"]), Requirement(key="n", operator="Gt", values=["1"])
    )
    affinity.pod_affinity = PodAffinity(required=[pods])
    affinity.pod_anti_affinity = PodAffinity(preferred=[WeightedPodAffinityTerm(weight=100, pod_affinity_term=pods)])
    spec = Spec(
        domain=Domain(),
        node_selector={"kubernetes.io/os": "linux"},
        affinity=affinity,
        tolerations=[Toleration(operator="Exists"), Toleration(key="a", value="b", effect="NoSchedule")],
        topology_spread_constraints=[
            TopologySpreadConstraint(
                max_skew=1, topology_key="zone", when_unsatisfiable="DoNotSchedule", label_selector=selector
            )
        ],
        scheduler_name="my-scheduler",
        priority_class_name="high",
        resource_claims=[ResourceClaim(name="gpu", resource_claim_name="one")],
    )
    assert fields(spec) == []


@pytest.mark.parametrize(
    ("affinity", "field"),
    [
        (node(Requirement(key="a", operator="Is")), "matchExpressions[0].operator"),
        (node(Requirement(key="a", operator="In")), "matchExpressions[0].values"),
        (node(Requirement(key="a", operator="Exists", values=["b"])), "matchExpressions[0].values"),
        (node(Requirement(key="a", operator="Lt", values=["x"])), "matchExpressions[0].values"),
        (node(Requirement(key="a b", operator="Exists")), "matchExpressions[0].key"),
        (node(fields=(Requirement(key="spec.x", operator="In", values=["a"]),)), "matchFields[0].key"),
        (node(fields=(Requirement(key="metadata.name", operator="In"),)), "matchFields[0].values"),
    ],
)
def test_node_affinity(affinity: Affinity, field: str) -> None:
    place = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0]"
    assert fields(Spec(domain=Domain(), affinity=affinity)) == [f"{place}.{field}"]


def test_weights_and_topology_keys() -> None:
    preferred = [PreferredSchedulingTerm(weight=0, preference=NodeSelectorTerm())]
    pods = PodAffinity(required=[PodAffinityTerm(topology_key="", match_label_keys=["a"])])
    affinity = Affinity(node_affinity=NodeAffinity(preferred=preferred), pod_affinity=pods)
    assert fields(Spec(domain=Domain(), affinity=affinity)) == [
        f"spec.affinity.nodeAffinity.{PREFERRED}[0].weight",
        f"spec.affinity.podAffinity.{REQUIRED}[0].topologyKey",
        f"spec.affinity.podAffinity.{REQUIRED}[0].matchLabelKeys",
    ]


@pytest.mark.parametrize(
    ("toleration", "field"),
    [
        (Toleration(), "operator"),
        (Toleration(key="a", operator="Is"), "operator"),
        (Toleration(key="a", operator="Exists", value="b"), "operator"),
        (Toleration(key="a", effect="Never"), "effect"),
        (Toleration(key="a", effect="NoSchedule", toleration_seconds=1), "effect"),
    ],
)
def test_tolerations(toleration: Toleration, field: str) -> None:
    assert fields(Spec(domain=Domain(), tolerations=[toleration])) == [f"spec.tolerations[0].{field}"]


@pytest.mark.parametrize(
    ("constraint", "field"),
    [
        (TopologySpreadConstraint(max_skew=0, topology_key="z", when_unsatisfiable="DoNotSchedule"), "maxSkew"),
        (TopologySpreadConstraint(max_skew=1, topology_key="", when_unsatisfiable="DoNotSchedule"), "topologyKey"),
        (TopologySpreadConstraint(max_skew=1, topology_key="z", when_unsatisfiable="x"), "whenUnsatisfiable"),
        (
            TopologySpreadConstraint(max_skew=1, topology_key="z", when_unsatisfiable="ScheduleAnyway", min_domains=2),
            "minDomains",
        ),
        (
            TopologySpreadConstraint(
                max_skew=1, topology_key="z", when_unsatisfiable="DoNotSchedule", node_taints_policy="x"
            ),
            "nodeTaintsPolicy",
        ),
    ],
)
def test_spread(constraint: TopologySpreadConstraint, field: str) -> None:
    found = fields(Spec(domain=Domain(), topology_spread_constraints=[constraint]))
    assert found == [f"spec.topologySpreadConstraints[0].{field}"]


def test_claims_and_names() -> None:
    both = ResourceClaim(name="a", resource_claim_name="x", resource_claim_template_name="y")
    spec = Spec(
        domain=Domain(),
        resource_claims=[both, ResourceClaim(name="a", resource_claim_name="x"), ResourceClaim(name="B")],
        scheduler_name="A b",
        priority_class_name="-",
        node_selector={"a": "b c"},
    )
    assert fields(spec) == [
        "spec.nodeSelector",
        "spec.schedulerName",
        "spec.priorityClassName",
        "spec.resourceClaims[0]",
        "spec.resourceClaims[1].name",
        "spec.resourceClaims[2].name",
        "spec.resourceClaims[2]",
    ]
