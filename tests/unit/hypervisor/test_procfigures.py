"""Figures out of /proc, of a made-up one and of this very process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor import procfigures

TICKS = os.sysconf("SC_CLK_TCK")
STAT = "42 (CPU 0/T)CG (x) S 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0 {threads} 0 {start} 0 {rss} 0 0"


def stat(user: int = 0, system: int = 0, threads: int = 1, start: int = 0, rss: int = 0) -> str:
    return STAT.format(user=user, system=system, threads=threads, start=start, rss=rss)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "42/task/43").mkdir(parents=True)
    (tmp_path / "42/stat").write_text(stat(user=3 * TICKS, system=TICKS, threads=7, rss=10))
    return tmp_path


def test_a_process_whose_name_has_brackets_and_spaces(proc: Path) -> None:
    found = procfigures.process(42, root=proc)
    assert found is not None
    assert (found.user, found.system, found.threads) == (3, 1, 7)
    assert found.resident == 10 * os.sysconf("SC_PAGE_SIZE")
    assert found.uptime > 0


def test_this_process() -> None:
    found, threads = None, 0
    for _ in range(100):
        # Threads of earlier tests may just be ending.
        threads = len(os.listdir("/proc/self/task"))
        found = procfigures.process(os.getpid())
        if found is not None and found.threads == threads == len(os.listdir("/proc/self/task")):
            break
    assert found is not None
    assert found.user + found.system == pytest.approx(sum(os.times()[:2]), abs=0.5)
    assert found.threads == threads
    assert 1 << 20 < found.resident < 4 << 30
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert 0 < found.uptime < boot


def test_one_that_is_gone(proc: Path) -> None:
    assert procfigures.process(4711, root=proc) is None


def test_a_vcpu_by_the_scheduler_and_without_it(proc: Path) -> None:
    task = proc / "42/task/43"
    (task / "schedstat").write_text("1500000000 250000000 17\n")
    (vcpu,) = procfigures.vcpus(42, {3: 43}, root=proc)
    assert (vcpu.index, vcpu.seconds, vcpu.delay, vcpu.wait) == (3, pytest.approx(1.5), pytest.approx(0.25), None)
    (task / "schedstat").unlink()
    (task / "stat").write_text(stat(user=TICKS, system=TICKS))
    (vcpu,) = procfigures.vcpus(42, {3: 43}, root=proc)
    assert (vcpu.seconds, vcpu.delay) == (2, None)


@pytest.mark.parametrize(("enabled", "wait"), [("1\n", 1.25), ("0\n", None)])
def test_waits_where_the_kernel_counts_them(proc: Path, enabled: str, wait: float | None) -> None:
    (proc / "sys/kernel/sched_schedstats").write_text(enabled)
    (proc / "42/task/43/schedstat").write_text("1 2 3")
    (proc / "42/task/43/sched").write_text("x (43, #threads: 1)\n---\nwait_sum      :   1250.0\nse.load.weight : 1\n")
    (vcpu,) = procfigures.vcpus(42, {0: 43}, root=proc)
    assert vcpu.wait == wait


def test_threads_that_are_gone_or_never_were_are_left_out(proc: Path) -> None:
    assert procfigures.vcpus(42, {0: 99, 1: -1, 2: 0}, root=proc) == ()


def test_own_threads_in_order() -> None:
    found = procfigures.vcpus(os.getpid(), {1: os.getpid(), 0: os.getpid()})
    assert [vcpu.index for vcpu in found] == [0, 1]
    assert found[0].affinity == len(os.sched_getaffinity(0))


def test_a_tap_device_is_seen_from_the_guest(tmp_path: Path) -> None:
    (tmp_path / "tap0/statistics").mkdir(parents=True)
    for direction, start in (("rx", 10), ("tx", 20)):
        for number, kind in enumerate(("bytes", "packets", "errors", "dropped")):
            (tmp_path / f"tap0/statistics/{direction}_{kind}").write_text(f"{start + number}\n")
    found = procfigures.interface("tap0", root=tmp_path)
    assert found is not None
    assert (found["tx_bytes"], found["rx_bytes"], found["rx_dropped"]) == (10, 20, 23)
    assert procfigures.interface("none", root=tmp_path) is None


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=200))
def test_nothing_in_a_file_is_an_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("proc")
    task = root / "1/task/2"
    task.mkdir(parents=True)
    (task / "schedstat").write_text(text)
    procfigures.vcpus(1, {0: 2}, root=root)
