from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.compute import CPU, Hugepages, Memory, Realtime
from solovirt.controllers.vmi import capacity
from solovirt.host.cpupool import HostCPU
from solovirt.host.model.bindings import CPUPlacement
from solovirt.host.model.facts import HostFacts, QemuFacts
from tests.unit.controllers.lab import spec

HOST = HostFacts(qemu=QemuFacts(binary="/q", version=(7, 2, 0)), accel="tcg", cpus=2, memory=1 << 30)
CPUS = (HostCPU(0, 0, 0), HostCPU(1, 0, 1))


def test_memory() -> None:
    made = spec()
    assert capacity.lacks(made, HOST) == []
    made.domain.memory = Memory(guest="2Gi")
    (lack,) = capacity.lacks(made, HOST)
    assert lack.reason == "Insufficient memory"
    assert "2048 MiB, this host has 1024 MiB" in lack.help


def test_huge_pages(tmp_path: Path) -> None:
    made = spec()
    made.domain.memory = Memory(guest="64Mi", hugepages=Hugepages(page_size="2Mi"))
    (lack,) = capacity.lacks(made, HOST, hugepage_root=tmp_path)
    assert (lack.reason, "hugepagesz=2M" in lack.help) == ("Insufficient hugepages-2Mi", True)
    pool = tmp_path / "hugepages-2048kB"
    pool.mkdir()
    for name, number in (("nr", 16), ("free", 10), ("resv", 0)):
        (pool / f"{name}_hugepages").write_text(str(number))
    (lack,) = capacity.lacks(made, HOST, hugepage_root=tmp_path)
    assert lack.help.endswith(f"wants 32 pages of 2Mi, 10 are free: echo 38 > {pool}/nr_hugepages")
    (pool / "free_hugepages").write_text("32")
    assert capacity.lacks(made, HOST, hugepage_root=tmp_path) == []


def test_cpus() -> None:
    made = spec()
    assert capacity.place(made, CPUS, frozenset()) == (None, [])
    made.domain.cpu = CPU(cores=1, dedicated_cpu_placement=True)
    assert capacity.place(made, CPUS, frozenset({0})) == (CPUPlacement(vcpus=(1,)), [])
    placed, (lack,) = capacity.place(made, CPUS, frozenset({0, 1}))
    assert placed is None
    assert lack.reason == "Insufficient cpu"
    assert "wants 1 host CPUs for itself, 0 of 2 are free" in lack.help


def test_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = spec()
    made.domain.cpu = CPU(cores=1, dedicated_cpu_placement=True, realtime=Realtime())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert capacity.lacks(made, HOST) == []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (0, 0))
    (lack,) = capacity.lacks(made, HOST)
    assert "LimitRTPRIO=1" in lack.help
