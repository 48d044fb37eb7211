"""Memory now, and memory later."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import ram, render
from solovirt.compile.configurators import memory
from solovirt.host.model.bindings import CPUPlacement, NumaCell
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run

MIB = 1024**2


def test_plain() -> None:
    assert run(memory.options, "domain: {memory: {guest: 128Mi}}") == [
        "-m size=131072k",
        '-object {"qom-type":"memory-backend-ram","id":"pc.ram","size":134217728}',
        "-overcommit mem-lock=off",
    ]
    assert run(memory.growth) == []


@pytest.mark.parametrize(
    ("text", "size", "path"),
    [
        ("memory: {guest: 1Gi}", 1024, "domain.memory.guest"),
        ("memory: {guest: 1000M}", 954, "domain.memory.guest"),
        ("memory: {}, resources: {requests: {memory: 1Gi}}", 1024, "domain.resources.requests.memory"),
        ("memory: {}, resources: {limits: {memory: 2Gi}}", 2048, "domain.resources.limits.memory"),
        ("memory: {guest: 1}", 1, "domain.memory.guest"),
    ],
)
def test_where_it_comes_from(text: str, size: int, path: str) -> None:
    assert memory.guest_bytes(context(f"domain: {{{text}}}")) == (size * MIB, path)


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("memory: {}", "domain.memory.guest", "no memory requested"),
        ("memory: {guest: 1Qi}", "domain.memory.guest", "quantities must match"),
        ("memory: {guest: 0}", "domain.memory.guest", "greater than 0"),
        ("memory: {guest: -1Gi}", "domain.memory.guest", "greater than 0"),
        ("memory: {guest: 2Gi, maxGuest: 1Gi}", "domain.memory.maxGuest", "must not be less than guest"),
    ],
)
def test_wrong_amounts(text: str, field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        run(memory.options, f"domain: {{{text}}}")
    assert caught.value.causes[0].field == field


def test_growth() -> None:
    text = "domain: {cpu: {cores: 2}, memory: {guest: 512Mi, maxGuest: 2Gi}}"
    assert run(memory.options, text)[0] == "-m size=524288k,slots=16,maxmem=3670016k"
    (backend,) = objects(memory.growth(context(text)), "-object")
    (device,) = objects(memory.growth(context(text)))
    assert backend["size"] == 1536 * MIB and backend["reserve"] is False
    assert device["requested-size"] == 0 and device["memdev"] == backend["id"]


@pytest.mark.parametrize(
    ("kind", "amounts", "devices"),
    [
        ("virtio-mem", "size=1048576k,maxmem=4194304k", 1),
        ("pc-dimm", "size=1048576k,slots=16,maxmem=4194304k", 0),
        ("", "size=1048576k,slots=16,maxmem=7340032k", 1),
    ],
)
def test_what_memory_grows_by(kind: str, amounts: str, devices: int) -> None:
    ctx = context("domain: {memory: {guest: 1Gi, maxGuest: 4Gi}}")
    annotated = msgspec.structs.replace(ctx.bindings, annotations={ram.GROWS_BY: kind} if kind else {})
    ctx = type(ctx)(ctx.spec, ctx.facts, annotated, ctx.layout)
    (first, *_) = memory.options(ctx)
    assert " ".join(render.value(first)) == amounts
    assert len(list(memory.growth(ctx))) == 2 * devices


def test_a_great_guest_has_no_addresses_for_both() -> None:
    text = "domain: {memory: {guest: 100Gi, maxGuest: 400Gi}}"
    assert run(memory.options, text)[0] == "-m size=104857600k,maxmem=419430400k"


def test_an_unknown_kind_of_growth() -> None:
    ctx = context("domain: {memory: {guest: 1Gi, maxGuest: 4Gi}}")
    wrong = msgspec.structs.replace(ctx.bindings, annotations={ram.GROWS_BY: "dimm"})
    with pytest.raises(Invalid, match='"dimm" is unknown'):
        list(memory.options(type(ctx)(ctx.spec, ctx.facts, wrong, ctx.layout)))


def test_a_dimm() -> None:
    ctx = context("domain: {memory: {guest: 1Gi, maxGuest: 4Gi, hugepages: {pageSize: 2Mi}}}")
    backend, device = (render.arguments(one) for one in memory.dimm(ctx, "dimm0", 1 << 30))
    assert (backend["id"], backend["size"], backend["hugetlb"]) == ("memdimm0", 1 << 30, True)
    assert device == {"driver": "pc-dimm", "id": "dimm0", "memdev": "memdimm0", "node": 0}


def test_growth_is_whole_blocks() -> None:
    assert memory.growth_bytes(context("domain: {memory: {guest: 128Mi, maxGuest: 131Mi}}")) == 2 * MIB
    assert not memory.hotplug(context("domain: {memory: {guest: 128Mi, maxGuest: 129Mi}}"))


def test_growth_of_huge_pages_is_of_huge_pages() -> None:
    ctx = context("domain: {memory: {guest: 1Gi, maxGuest: 4Gi, hugepages: {pageSize: 1Gi}}}")
    (main,) = objects(memory.options(ctx), "-object")
    (backend,) = objects(memory.growth(ctx), "-object")
    (device,) = objects(memory.growth(ctx))
    assert main["prealloc"] is True and "prealloc" not in backend, "what is not plugged takes no pages"
    assert backend["hugetlbsize"] == device["block-size"] == 1024 * MIB and device["prealloc"] is True


@pytest.mark.parametrize(
    ("text", "locked"),
    [
        ("memory: {guest: 64Mi}", "off"),
        ("memory: {guest: 64Mi, reservedOverhead: {memLock: NotRequired}}", "off"),
        ("memory: {guest: 64Mi, reservedOverhead: {memLock: Required}}", "on"),
        ("memory: {guest: 64Mi}, cpu: {realtime: {}}", "on"),
    ],
)
def test_locked_memory(text: str, locked: str) -> None:
    assert run(memory.options, f"domain: {{{text}}}")[-1] == f"-overcommit mem-lock={locked}"


def test_a_backend_for_each_node() -> None:
    ctx = context(
        "domain: {cpu: {numa: {guestMappingPassthrough: {}}}, memory: {guest: 6Mi, hugepages: {pageSize: 2Mi}}}"
    )
    cells = (NumaCell((0,), 4 * MIB, 1), NumaCell((1,), 2 * MIB, 0))
    bound = msgspec.structs.replace(ctx.bindings, cpus=CPUPlacement(cells=cells))
    found = objects(memory.options(type(ctx)(ctx.spec, ctx.facts, bound, ctx.layout)), "-object")
    assert [(one["id"], one["size"], one["host-nodes"]) for one in found] == [
        ("ram-node0", 4 * MIB, [1]),
        ("ram-node1", 2 * MIB, [0]),
    ]
