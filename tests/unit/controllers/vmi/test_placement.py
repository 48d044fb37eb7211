from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    Requirement,
    ResourceClaim,
    TopologySpreadConstraint,
)
from solovirt.controllers.vmi import placement
from solovirt.controllers.vmi.placement import Node, Resident
from tests.unit.controllers.lab import spec

NODE = Node("box", {"kubernetes.io/hostname": "box", "cores": "8"}, {"default": {}, "team": {"kind": "lab"}})
WEB = LabelSelector(match_labels={"app": "web"})


def resident(made: VirtualMachineInstanceSpec | None = None, namespace: str = "default", **labels: str) -> Resident:
    return Resident(namespace, labels, made or spec())


def required(*requirements: Requirement, name: str = "") -> VirtualMachineInstanceSpec:
    made = spec()
    fields = [Requirement(key="metadata.name", operator="In", values=[name])] if name else []
    term = NodeSelectorTerm(match_expressions=list(requirements), match_fields=fields)
    affinity = NodeAffinity(required=NodeSelector(node_selector_terms=[NodeSelectorTerm(), term]))
    made.affinity = Affinity(node_affinity=affinity)
    return made


@pytest.mark.parametrize(
    ("operator", "values", "fits"),
    [
        ("In", ["7", "8"], True),
        ("In", ["7"], False),
        ("NotIn", ["7"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["7"], True),
        ("Lt", ["8"], False),
    ],
)
def test_node_affinity(operator: str, values: list[str], fits: bool) -> None:
    made = required(Requirement(key="cores", operator=operator, values=values))
    assert placement.problems(resident(made), NODE, []) == ([] if fits else [placement.AFFINITY])


def test_node_names_and_selectors() -> None:
    assert placement.problems(resident(required(name="box")), NODE, []) == []
    assert placement.problems(resident(required(name="other")), NODE, []) == [placement.AFFINITY]
    made = spec()
    made.node_selector = {"cores": "8", "zone": "x"}
    assert placement.problems(resident(made), NODE, []) == [placement.AFFINITY]
    assert placement.missing_labels(made, NODE) == ["zone=x"]
    assert placement.sentence([placement.AFFINITY]) == (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    )


def near(term: PodAffinityTerm) -> VirtualMachineInstanceSpec:
    made = spec()
    made.affinity = Affinity(pod_affinity=PodAffinity(required=[term]))
    return made


def apart(term: PodAffinityTerm) -> VirtualMachineInstanceSpec:
    made = spec()
    made.affinity = Affinity(pod_anti_affinity=PodAffinity(required=[term]))
    return made


def test_pod_affinity() -> None:
    term = PodAffinityTerm(topology_key="kubernetes.io/hostname", label_selector=WEB)
    alone, web = resident(near(term), app="db"), resident(app="web")
    assert placement.problems(alone, NODE, []) == [placement.PODS]
    assert placement.problems(alone, NODE, [web]) == []
    assert placement.problems(resident(near(term), app="web"), NODE, []) == [], "the first of its own group"
    assert placement.problems(alone, NODE, [resident(namespace="team", app="web")]) == [placement.PODS]
    wide = PodAffinityTerm(
        topology_key="kubernetes.io/hostname",
        label_selector=WEB,
        namespace_selector=LabelSelector(match_labels={"kind": "lab"}),
    )
    assert placement.problems(resident(near(wide)), NODE, [resident(namespace="team", app="web")]) == []
    elsewhere = PodAffinityTerm(topology_key="zone", label_selector=WEB)
    assert placement.problems(resident(near(elsewhere), app="web"), NODE, [web]) == [placement.PODS]


def test_pod_anti_affinity_works_both_ways() -> None:
    term = PodAffinityTerm(topology_key="kubernetes.io/hostname", label_selector=WEB)
    loner, web = resident(apart(term), app="db"), resident(app="web")
    assert placement.problems(loner, NODE, [web]) == [placement.ANTI]
    assert placement.problems(web, NODE, [loner]) == [placement.EXISTING]
    assert placement.problems(loner, NODE, [resident(app="db")]) == []


def test_topology_spread() -> None:
    made = spec()
    made.topology_spread_constraints = [
        TopologySpreadConstraint(
            max_skew=1,
            topology_key="kubernetes.io/hostname",
            when_unsatisfiable="DoNotSchedule",
            label_selector=WEB,
            min_domains=2,
        )
    ]
    new, web = resident(made, app="web"), resident(app="web")
    assert placement.problems(new, NODE, []) == []
    assert placement.problems(new, NODE, [web]) == [placement.SPREAD]
    made.topology_spread_constraints[0].min_domains = None
    assert placement.problems(new, NODE, [web, web]) == [], "one node is one domain"
    made.topology_spread_constraints[0].topology_key = "zone"
    assert placement.problems(new, NODE, []) == [f"{placement.SPREAD} (missing required label)"]
    made.topology_spread_constraints[0].when_unsatisfiable = "ScheduleAnyway"
    assert placement.problems(new, NODE, []) == []


def test_claims() -> None:
    made = spec()
    made.resource_claims = [ResourceClaim(name="gpu", resource_claim_name="x")]
    assert placement.problems(resident(made), NODE, []) == [placement.CLAIMS]
