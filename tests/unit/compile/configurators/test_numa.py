"""-numa: one node over everything, or the host's."""

from __future__ import annotations

import msgspec

from solovirt.compile.configurators import numa
from solovirt.host.model.bindings import CPUPlacement, NumaCell
from tests.unit.compile.helpers import context, lines, run

GIB = 1024**3
TEXT = (
    "domain: {cpu: {cores: 4, numa: {guestMappingPassthrough: {}}}, memory: {guest: 2Gi, hugepages: {pageSize: 1Gi}}}"
)


def nodes(*cells: NumaCell) -> list[str]:
    ctx = context(TEXT)
    bound = msgspec.structs.replace(ctx.bindings, cpus=CPUPlacement(vcpus=(4, 5, 6, 7), cells=cells))
    return lines(numa.options(type(ctx)(ctx.spec, ctx.facts, bound, ctx.layout)))


def test_plain_machines_have_none() -> None:
    assert run(numa.options) == []


def test_one_over_everything() -> None:
    for memory in ("guest: 1Gi, maxGuest: 4Gi", "guest: 64Mi, hugepages: {pageSize: 2Mi}"):
        found = run(numa.options, f"domain: {{cpu: {{cores: 2}}, memory: {{{memory}}}}}")
        assert found == ["-numa node,nodeid=0,cpus=0-7,memdev=pc.ram"]
    found = run(numa.options, "domain: {cpu: {maxSockets: 1}, memory: {guest: 1Gi, maxGuest: 2Gi}}")
    assert found == ["-numa node,nodeid=0,cpus=0,memdev=pc.ram"]


def test_the_hosts_nodes_and_vcpus_that_may_come() -> None:
    assert nodes(NumaCell((0, 2), GIB, 0), NumaCell((1, 3), GIB, 1)) == [
        "-numa node,nodeid=0,cpus=0,cpus=2,memdev=ram-node0",
        "-numa node,nodeid=1,cpus=1,cpus=3-15,memdev=ram-node1",
    ]


def test_without_known_cells_nothing_is_split() -> None:
    assert nodes() == []
