"""Which thread serves which disk: KubeVirt's arithmetic."""

from __future__ import annotations

import pytest

from solovirt.compile import iothreads
from solovirt.kit.errors import HostError, Invalid
from tests.golden.cases import Host, host_facts
from tests.unit.compile.helpers import context

OLD, NEW = host_facts(), host_facts(Host(facts="qemu-10.0"))


def threads(domain: str, *disks: str, new: bool = False) -> tuple[list[str], list[object]]:
    """(all threads, the one of each disk)"""
    listed = ", ".join(f"{{name: d{i}, {disk}}}" for i, disk in enumerate(disks))
    volumes = ", ".join(f"{{name: d{i}, emptyDisk: {{capacity: 1Gi}}}}" for i in range(len(disks)))
    text = f"domain: {{{domain} devices: {{disks: [{listed}]}}}}\nvolumes: [{volumes}]"
    ctx = context(text, facts=NEW if new else OLD)
    given = [iothreads.assignment(ctx, index) for index in range(len(disks))]
    return iothreads.names(ctx), [props[0].value if props else None for props in given]


V, S = "disk: {bus: virtio}", "disk: {bus: sata}"
OWN = f"{V}, dedicatedIOThread: true"
AUTO = "ioThreadsPolicy: auto,"


@pytest.mark.parametrize(
    ("domain", "disks", "count", "given"),
    [
        ("", [V, V], 0, [None, None]),
        ("ioThreadsPolicy: shared,", [V, V, S], 1, [1, 1, None]),
        ("ioThreadsPolicy: shared,", [V, OWN], 2, [1, 2]),
        ("", [OWN], 1, [1]),
        ("", [OWN, V, OWN], 3, [2, 1, 3]),
        (AUTO, [V], 1, [1]),
        (AUTO, [V, V, V], 2, [1, 2, 1]),
        (AUTO + "resources: {requests: {cpu: 1500m}},", [V, V, V, V, V], 4, [1, 2, 3, 4, 1]),
        (AUTO + "resources: {limits: {cpu: 2}},", [V, OWN, S], 3, [1, 3, None]),
        (AUTO + "cpu: {dedicatedCpuPlacement: true, isolateEmulatorThread: true},", [V, V, V], 1, [1, 1, 1]),
    ],
)
def test_policies(domain: str, disks: list[str], count: int, given: list[int | None]) -> None:
    found, assigned = threads(domain, *disks)
    assert found == [f"iothread{number}" for number in range(1, count + 1)]
    assert assigned == [None if number is None else f"iothread{number}" for number in given]


POOL = "ioThreadsPolicy: supplementalPool, ioThreads: {supplementalPoolThreadCount: 2},"


def test_a_pool_spreads_every_virtio_disk() -> None:
    found, assigned = threads(POOL, V, S, new=True)
    assert found == ["iothread1", "iothread2"]
    assert assigned == [[{"iothread": "iothread1"}, {"iothread": "iothread2"}], None]


def test_a_pool_needs_a_qemu_that_can() -> None:
    with pytest.raises(HostError, match="several I/O threads") as caught:
        threads(POOL, V)
    assert caught.value.field == "domain.ioThreadsPolicy"


def test_wrong_policies() -> None:
    with pytest.raises(Invalid, match=r"Invalid IOThreadsPolicy \(many\)"):
        threads("ioThreadsPolicy: many,", V)
    with pytest.raises(Invalid, match="needs to be set and positive"):
        threads("ioThreadsPolicy: supplementalPool,", V)
