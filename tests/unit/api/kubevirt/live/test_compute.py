from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.kubevirt.live import compute
from solovirt.api.kubevirt.spec.compute import CPU, Memory
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.kit.json import clone

Spec = VirtualMachineInstanceSpec


def cpus(sockets: int | None = None, most: int | None = 4, **more: object) -> Spec:
    return Spec(domain=Domain(cpu=CPU(sockets=sockets, max_sockets=most, **more)))  # type: ignore[arg-type]


def memory(guest: str | None = None, most: str | None = "4Gi") -> Spec:
    return Spec(domain=Domain(memory=Memory(guest=guest, max_guest=most)))


def follows(wanted: Spec, running: Spec) -> bool:
    """Whether it needs no restart."""
    merged = clone(running)
    compute.take(wanted, merged)
    return merged == wanted


@pytest.mark.parametrize("sockets", [1, 3, 4])
def test_sockets_within_the_headroom(sockets: int) -> None:
    assert follows(cpus(sockets), cpus(2))


@pytest.mark.parametrize(
    ("wanted", "running"),
    [
        (cpus(5), cpus(2)),
        (cpus(0), cpus(2)),
        (cpus(None), cpus(2)),
        (cpus(3, most=None), cpus(2, most=None)),
        (cpus(3, cores=2), cpus(2, cores=1)),
        (cpus(3, threads=2), cpus(2, threads=1)),
        (cpus(3, dedicated_cpu_placement=True), cpus(2, dedicated_cpu_placement=True)),
        (Spec(domain=Domain()), cpus(2)),
        (cpus(2), Spec(domain=Domain())),
    ],
)
def test_what_needs_a_restart_moves_no_socket(wanted: Spec, running: Spec) -> None:
    merged = clone(running)
    compute.take(wanted, merged)
    assert merged == running != wanted


@pytest.mark.parametrize("guest", ["1Gi", "4Gi", "4096Mi", "1500M"])
def test_memory_within_the_headroom(guest: str) -> None:
    assert follows(memory(guest), memory("2Gi"))


@pytest.mark.parametrize(
    ("wanted", "running"),
    [
        (memory("5Gi"), memory("2Gi")),
        (memory("0"), memory("2Gi")),
        (memory(None), memory("2Gi")),
        (memory("3Gi", None), memory("2Gi", None)),
        (Spec(domain=Domain()), memory("2Gi")),
        (memory("2Gi"), Spec(domain=Domain())),
    ],
)
def test_other_memory_needs_a_restart(wanted: Spec, running: Spec) -> None:
    merged = clone(running)
    compute.take(wanted, merged)
    assert merged == running != wanted


@settings(max_examples=50, deadline=None)
@given(st.integers(-1, 9), st.integers(1, 8), st.integers(0, 8))
def test_never_out_of_the_headroom(sockets: int, running: int, most: int) -> None:
    merged = cpus(running, most)
    compute.take(cpus(sockets, 99), merged)
    cpu = merged.domain.cpu
    assert cpu is not None
    assert (cpu.sockets, cpu.max_sockets) == (sockets if 1 <= sockets <= most else running, most)


def both(sockets: int | None, guest: str | None) -> Spec:
    return Spec(domain=Domain(cpu=CPU(max_sockets=sockets), memory=Memory(max_guest=guest)))


def test_headroom_that_nobody_asked_for_stays_that_of_the_start() -> None:
    wanted = both(16, "16Gi")
    compute.keep_headroom(Spec(domain=Domain()), wanted, both(8, "8Gi"))
    assert wanted == both(8, "8Gi")


def test_headroom_that_was_asked_for_is_a_change() -> None:
    given = both(16, "16Gi")
    wanted = clone(given)
    compute.keep_headroom(given, wanted, both(8, "8Gi"))
    assert wanted == given


def test_headroom_of_machines_without_any() -> None:
    wanted = both(16, "16Gi")
    compute.keep_headroom(Spec(domain=Domain()), wanted, Spec(domain=Domain()))
    assert wanted == both(16, "16Gi")


@pytest.mark.parametrize(
    ("wanted", "at_boot", "kept"),
    [
        ("512Mi", "1Gi", "2Gi"),
        ("1Gi", "1Gi", "1Gi"),
        ("3Gi", "1Gi", "3Gi"),
        ("512Mi", None, "512Mi"),
    ],
)
def test_memory_of_the_start_stays(wanted: str, at_boot: str | None, kept: str) -> None:
    merged = memory(wanted)
    compute.keep_boot_memory(merged, memory("2Gi"), at_boot)
    assert merged == memory(kept)


def test_a_spec_that_says_no_memory() -> None:
    merged = Spec(domain=Domain())
    compute.keep_boot_memory(merged, memory("2Gi"), "1Gi")
    assert merged == Spec(domain=Domain())
