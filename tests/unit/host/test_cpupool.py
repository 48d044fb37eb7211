from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host import cpupool
from solovirt.host.cpupool import HostCPU, Request, allocate
from solovirt.host.model.bindings import CPUPlacement, NumaCell
from solovirt.host.model.facts import HostNode
from solovirt.kit.errors import HostError

FLAT = [HostCPU(number, 0, number) for number in range(4)]
SMT = [HostCPU(number, number % 4 // 2, number % 4) for number in range(8)]
"""Two nodes of two cores of two threads: 0,4 1,5 | 2,6 3,7."""


def test_first_come_first_served() -> None:
    assert allocate(Request(2), FLAT, frozenset()) == CPUPlacement(vcpus=(0, 1))
    assert allocate(Request(2, isolate_emulator=True), FLAT, frozenset({0})) == CPUPlacement((1, 2), (3,))
    assert allocate(Request(2, isolate_emulator=True), FLAT, frozenset({0, 1})) is None


def test_threads_of_a_core_stay_together_on_one_node() -> None:
    assert allocate(Request(4, threads=2), SMT, frozenset()) == CPUPlacement(vcpus=(0, 4, 1, 5))
    assert allocate(Request(2, threads=2), SMT, frozenset({0})) == CPUPlacement(vcpus=(1, 5)), "a whole core first"
    assert allocate(Request(4), SMT, frozenset({0})) == CPUPlacement(vcpus=(2, 6, 3, 7)), "the node in which all fit"


def test_cells_follow_the_nodes() -> None:
    placed = allocate(Request(6, cells=True, memory=5 << 21, page=1 << 21), SMT, frozenset({7}))
    assert placed is not None
    assert placed.vcpus == (0, 4, 1, 5, 2, 6)
    assert placed.cells == (NumaCell((0, 1, 2, 3), 3 << 21, 0), NumaCell((4, 5), 2 << 21, 1))


@given(st.integers(1, 8), st.integers(1, 2), st.booleans(), st.frozensets(st.integers(0, 7)))
@settings(max_examples=60, deadline=None)
def test_never_a_cpu_twice(vcpus: int, threads: int, isolate: bool, taken: frozenset[int]) -> None:
    placed = allocate(Request(vcpus, threads, isolate, cells=True, memory=1 << 30), SMT, taken)
    enough = 8 - len(taken) >= vcpus + isolate
    assert (placed is not None) is enough
    if placed is not None:
        used = [*placed.vcpus, *placed.emulator]
        assert len(set(used)) == len(used) == vcpus + isolate
        assert not taken & set(used)
        assert sum(cell.memory for cell in placed.cells) == 1 << 30
        assert sorted(index for cell in placed.cells for index in cell.vcpus) == list(range(vcpus))


def test_ranges_and_masks() -> None:
    assert cpupool.parse_ranges("0-2,8\n") == {0, 1, 2, 8}
    assert cpupool.parse_ranges("") == frozenset()
    for wrong in ("a", "3-1", "-1", "0-99999999"):
        with pytest.raises(ValueError):
            cpupool.parse_ranges(wrong)
    assert cpupool.mask("", 3) == (0, 1, 2)
    assert cpupool.mask("0-3,^1", 4) == (0, 2, 3)
    assert cpupool.mask("0-9", 2) == (0, 1)


def test_the_hosts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    folder = tmp_path / "cpu/cpu3/topology"
    folder.mkdir(parents=True)
    (folder / "thread_siblings_list").write_text("1,3\n")
    nodes = (HostNode(0, (0, 2)), HostNode(1, (1, 3)))
    found = cpupool.topology(nodes, system=tmp_path, environ={cpupool.RESERVED: "0"})
    assert found == (HostCPU(1, 1, 1), HostCPU(2, 0, 2), HostCPU(3, 1, 1))
    with pytest.raises(HostError, match="no list of CPUs"):
        cpupool.topology(environ={cpupool.RESERVED: "all"})


def test_what_is_taken() -> None:
    assert cpupool.taken_by([CPUPlacement((1, 2), (3,)), CPUPlacement((7,))]) == {1, 2, 3, 7}
