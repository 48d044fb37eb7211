"""The sizes that solovirt brings: the series of kubevirt/common-instancetypes, out of one table.

Facts of its version 1.7: what a series asks for, which sizes it has. Names and values are the same there and here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from solovirt.api.instancetype.instancetype import (
    CPUInstancetype,
    InstancetypeSpec,
    MemoryInstancetype,
    VirtualMachineClusterInstancetype,
)
from solovirt.api.instancetype.kinds import CLUSTER_INSTANCETYPES
from solovirt.api.kubevirt.spec.compute import NUMA, Hugepages, NUMAGuestMappingPassthrough, Realtime
from solovirt.api.meta import ObjectMeta

VENDOR = "solovirt.io"
PREFIX = "instancetype.kubevirt.io/"
_QUIET = {f"{name}.crio.io": "disable" for name in ("cpu-load-balancing", "cpu-quota", "irq-load-balancing")}


class Series(NamedTuple):
    """``memory``: MiB for each vCPU of the sizes that double; ``odd``: other sizes, as (vCPUs, MiB)."""

    name: str
    title: str
    label: str
    memory: int
    first: str = "medium"
    odd: tuple[tuple[str, int, int], ...] = ()
    pages: tuple[str, ...] = ("",)
    cpus: int = 1
    overcommit: int = 0
    dedicated: bool = False
    numa: bool = False
    realtime: bool = False
    fixed: bool = False
    io_threads: str = ""
    quiet: bool = False


SMALL = (("nano", 1, 512), ("micro", 1, 1024), ("small", 1, 2048))
SERIES = (
    Series("u1", "General Purpose", "general.purpose", 4096, odd=(*SMALL, ("2xmedium", 2, 4096))),
    Series("o1", "Overcommitted", "overcommitted", 4096, odd=SMALL, overcommit=50),
    Series(
        "cx1",
        "Compute Exclusive",
        "compute.exclusive",
        2048,
        pages=("2Mi", "1Gi"),
        dedicated=True,
        numa=True,
        fixed=True,
        io_threads="auto",
    ),
    Series("m1", "Memory Intensive", "memory.intensive", 8192, first="large", pages=("2Mi", "1Gi")),
    Series(
        "n1",
        "Network",
        "network",
        2048,
        first="large",
        odd=(("medium", 4, 4096),),
        pages=("1Gi",),
        cpus=2,
        dedicated=True,
        quiet=True,
    ),
    Series(
        "rt1",
        "Realtime",
        "realtime",
        4096,
        odd=SMALL[1:],
        pages=("1Gi",),
        dedicated=True,
        numa=True,
        realtime=True,
        quiet=True,
    ),
    Series(
        "d1",
        "Dedicated vCPU",
        "dedicated.vcpu",
        4096,
        odd=(*SMALL, ("2xmedium", 2, 4096)),
        dedicated=True,
        io_threads="auto",
    ),
)
DOUBLING = ("medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge")


def instancetypes() -> Iterator[VirtualMachineClusterInstancetype]:
    """All of them, ready to be stored."""
    for series in SERIES:
        for pages in series.pages:
            # The second kind of pages of a series is part of the name.
            suffix = pages.lower() if pages != series.pages[0] else ""
            for size, vcpus, memory in _sizes(series):
                yield _made(series, f"{size}{suffix}", vcpus, memory, pages)


def _sizes(series: Series) -> Iterator[tuple[str, int, int]]:
    yield from series.odd
    for power, size in enumerate(DOUBLING):
        if power >= DOUBLING.index(series.first):
            vcpus = series.cpus * 2**power
            yield size, vcpus, vcpus * series.memory


def _made(series: Series, size: str, vcpus: int, memory: int, pages: str) -> VirtualMachineClusterInstancetype:
    guest = f"{memory // 1024}Gi" if memory % 1024 == 0 else f"{memory}Mi"
    labels = {
        "class": series.label,
        "cpu": str(vcpus),
        "memory": guest,
        "size": size,
        "vendor": VENDOR,
        "version": "1",
        "hugepages": pages,
        "dedicatedCPUPlacement": "true" if series.dedicated else "",
        "isolateEmulatorThread": "true" if series.dedicated else "",
        "numa": "true" if series.numa else "",
        "realtime": "true" if series.realtime else "",
    }
    return VirtualMachineClusterInstancetype(
        api_version=CLUSTER_INSTANCETYPES.api_version,
        kind=CLUSTER_INSTANCETYPES.kind,
        metadata=ObjectMeta(
            name=f"{series.name}.{size}",
            labels={f"{PREFIX}{key}": value for key, value in labels.items() if value},
            annotations={f"{PREFIX}displayName": series.title},
        ),
        spec=InstancetypeSpec(
            cpu=CPUInstancetype(
                guest=vcpus,
                dedicated_cpu_placement=series.dedicated or None,
                isolate_emulator_thread=series.dedicated or None,
                numa=NUMA(guest_mapping_passthrough=NUMAGuestMappingPassthrough()) if series.numa else None,
                realtime=Realtime() if series.realtime else None,
                max_sockets=vcpus if series.fixed else None,
            ),
            memory=MemoryInstancetype(
                guest=guest,
                hugepages=Hugepages(page_size=pages) if pages else None,
                overcommit_percent=series.overcommit,
            ),
            io_threads_policy=series.io_threads,
            annotations=dict(_QUIET) if series.quiet else {},
        ),
    )
