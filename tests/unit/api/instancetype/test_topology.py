"""Every topology, every spread."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.instancetype import topology
from tests.unit.api.instancetype.samples import preference


@pytest.mark.parametrize(
    ("name", "vcpus", "expected"),
    [
        ("", 4, (4, 1, 1)),
        ("sockets", 4, (4, 1, 1)),
        ("preferSockets", 4, (4, 1, 1)),
        ("cores", 4, (1, 4, 1)),
        ("preferCores", 4, (1, 4, 1)),
        ("threads", 4, (1, 1, 4)),
        ("preferThreads", 4, (1, 1, 4)),
        ("any", 4, (4, 1, 1)),
        ("preferAny", 4, (4, 1, 1)),
        ("spread", 4, (2, 2, 1)),
        ("preferSpread", 6, (3, 2, 1)),
        ("spread", 1, (1, 1, 1)),
        ("cores", 1, (1, 1, 1)),
    ],
)
def test_preferred_topology(name: str, vcpus: int, expected: tuple[int, int, int]) -> None:
    assert topology.topology(vcpus, preference(cpu={"preferredCPUTopology": name})) == expected


def test_without_a_preference_vcpus_are_sockets() -> None:
    assert topology.topology(3, None) == (3, 1, 1)


@pytest.mark.parametrize(
    ("options", "vcpus", "expected"),
    [
        ({}, 8, (4, 2, 1)),
        ({"ratio": 4}, 8, (2, 4, 1)),
        ({"across": "SocketsCores", "ratio": 8}, 8, (1, 8, 1)),
        ({"across": "CoresThreads"}, 8, (1, 4, 2)),
        ({"across": "SocketsCoresThreads"}, 8, (2, 2, 2)),
        ({"across": "SocketsCoresThreads", "ratio": 4}, 8, (1, 4, 2)),
        ({"across": "SocketsCoresThreads", "ratio": 4}, 16, (2, 4, 2)),
    ],
)
def test_spread_options(options: dict[str, object], vcpus: int, expected: tuple[int, int, int]) -> None:
    liked = preference(cpu={"preferredCPUTopology": "spread", "spreadOptions": options})
    assert topology.topology(vcpus, liked) == expected
    assert topology.spread_problem(vcpus, liked) == ""


def test_the_older_ratio_gives_way() -> None:
    liked = preference(preferSpreadSocketToCoreRatio=3, cpu={"preferredCPUTopology": "spread"})
    assert topology.topology(9, liked) == (3, 3, 1)
    liked = preference(
        preferSpreadSocketToCoreRatio=3, cpu={"preferredCPUTopology": "spread", "spreadOptions": {"ratio": 2}}
    )
    assert topology.topology(8, liked) == (4, 2, 1)


@pytest.mark.parametrize(
    ("options", "vcpus", "text"),
    [
        (
            {},
            3,
            "3 vCPUs provided by the instance type are not divisible by the Spec.PreferSpreadSocketToCoreRatio or"
            " Spec.CPU.PreferSpreadOptions.Ratio of 2 provided by the preference",
        ),
        (
            {"across": "CoresThreads"},
            5,
            "5 vCPUs provided by the instance type are not divisible by the number of threads per core 2",
        ),
        (
            {"across": "SocketsCoresThreads", "ratio": 4},
            4,
            "4 vCPUs provided by the instance type are not divisible by the number of threads per core 2 and"
            " Spec.PreferSpreadSocketToCoreRatio or Spec.CPU.PreferSpreadOptions.Ratio of 4",
        ),
    ],
)
def test_what_does_not_divide_is_told(options: dict[str, object], vcpus: int, text: str) -> None:
    liked = preference(cpu={"preferredCPUTopology": "spread", "spreadOptions": options})
    assert topology.spread_problem(vcpus, liked) == text
    assert topology.spread_problem(vcpus, None) == ""
    assert topology.spread_problem(vcpus, preference(cpu={"preferredCPUTopology": "cores"})) == ""


@settings(max_examples=200)
@given(
    vcpus=st.integers(1, 512),
    name=st.sampled_from(topology.TOPOLOGIES),
    across=st.sampled_from(("", *topology.ACROSS)),
    ratio=st.integers(1, 9),
)
def test_what_divides_loses_no_vcpu(vcpus: int, name: str, across: str, ratio: int) -> None:
    liked = preference(cpu={"preferredCPUTopology": name, "spreadOptions": {"across": across, "ratio": ratio}})
    if topology.spread_problem(vcpus, liked) or (vcpus == 1 and name.lower().endswith("spread")):
        return
    sockets, cores, threads = topology.topology(vcpus, liked)
    assert sockets * cores * threads == vcpus
