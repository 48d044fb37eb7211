"""What memory is made of."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import ram
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue
from solovirt.compile.render import arguments
from solovirt.host.model.bindings import Bindings, CPUPlacement, NumaCell
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.json import JsonObject
from tests.unit.compile.helpers import context

MIB = 1024**2
HUGE = "memory: {guest: 64Mi, hugepages: {pageSize: 2Mi}}"
SHARED = "devices: {filesystems: [{name: a, virtiofs: {}}]}"


def changed(ctx: Context, **bindings: object) -> Context:
    bound: Bindings = msgspec.structs.replace(ctx.bindings, **bindings)
    return Context(ctx.spec, ctx.facts, bound, ctx.layout)


def bare(text: str) -> Context:
    """Without a layout: the bindings of file systems are not of interest here."""
    from tests.unit.compile.helpers import bindings_of, spec_of

    spec = spec_of(f"domain: {{{text}}}")
    return Context(spec, context().facts, bindings_of(spec))


def made(ctx: Context) -> JsonObject:
    return arguments(JsonValue(ram.backing(ctx)))


def test_kinds() -> None:
    assert made(bare("")) == {"qom-type": "memory-backend-ram"}
    assert made(bare(SHARED)) == {"qom-type": "memory-backend-memfd", "share": True}
    pages = {"qom-type": "memory-backend-memfd", "hugetlb": True, "hugetlbsize": 2 * MIB}
    assert made(bare(HUGE)) == {**pages, "prealloc": True}
    assert made(bare(f"{HUGE}, {SHARED}")) == {**pages, "share": True, "prealloc": True}


def test_passt_maps_memory_too() -> None:
    why = ram.shared(bare("devices: {interfaces: [{name: a, masquerade: {}}, {name: b, passtBinding: {}}]}"))
    assert why is not None and why.path == "domain.devices.interfaces[1].passtBinding"
    assert ram.shared(bare("devices: {interfaces: [{name: a, masquerade: {}}]}")) is None


def test_no_memfd() -> None:
    ctx = changed(bare(HUGE), annotations={ram.MEMFD: "false"})
    with pytest.raises(HostError, match="no hugetlbfs with pages of 2Mi is mounted") as caught:
        made(ctx)
    assert "pagesize=2M " in caught.value.hint
    assert made(changed(ctx, hugetlbfs="/dev/hugepages")) == {
        "qom-type": "memory-backend-file",
        "mem-path": "/dev/hugepages",
        "prealloc": True,
    }
    shared = changed(bare(f"{HUGE}, {SHARED}"), annotations={ram.MEMFD: "false"})
    assert made(shared)["qom-type"] == "memory-backend-memfd", "as KubeVirt: who shares memory needs a memfd"


@pytest.mark.parametrize("size", ["4Ki", "2M", "512Gi"])
def test_pages_that_there_are_not(size: str) -> None:
    with pytest.raises(Invalid, match="is not the size of a huge page"):
        ram.page_size(bare(f"memory: {{guest: 64Mi, hugepages: {{pageSize: '{size}'}}}}"))


def test_cells_must_be_the_guests() -> None:
    ctx = bare(f"cpu: {{numa: {{guestMappingPassthrough: {{}}}}}}, {HUGE}")
    whole = changed(ctx, cpus=CPUPlacement(cells=(NumaCell((0,), 64 * MIB, 3),)))
    (node,) = ram.nodes(whole)
    assert arguments(JsonValue(ram.bound(node))) == {"host-nodes": [3], "policy": "bind"}
    with pytest.raises(HostError, match="do not add up"):
        ram.nodes(changed(ctx, cpus=CPUPlacement(cells=(NumaCell((0,), 32 * MIB, 3),))))
    assert ram.nodes(ctx) == []


def test_cells_count_only_where_they_were_asked_for() -> None:
    cells = CPUPlacement(vcpus=(1,), cells=(NumaCell((0,), MIB, 0),))
    assert ram.nodes(changed(bare("cpu: {dedicatedCpuPlacement: true}"), cpus=cells)) == []


def test_growth_in_huge_pages() -> None:
    ctx = bare("memory: {guest: 1Gi, maxGuest: 3584Mi, hugepages: {pageSize: 1Gi}}")
    assert ram.growth_bytes(ctx) == 2 * 1024**3


def test_memory_of_one_page() -> None:
    assert ram.guest_bytes(bare("memory: {hugepages: {pageSize: 1Gi}}")) == (1024**3, ram.PAGE_SIZE)
