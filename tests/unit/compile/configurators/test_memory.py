"""Memory now, and memory later."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import memory
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run

MIB = 1024**2


def test_plain() -> None:
    assert run(memory.options, "domain: {memory: {guest: 128Mi}}") == [
        "-m size=131072k",
        '-object {"qom-type":"memory-backend-ram","id":"pc.ram","size":134217728}',
        "-overcommit mem-lock=off",
    ]
    assert run(memory.node) == run(memory.growth) == []


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
    assert run(memory.options, text)[0] == "-m size=524288k,maxmem=2097152k"
    assert run(memory.node, text) == ["-numa node,nodeid=0,cpus=0-7,memdev=pc.ram"]
    (backend,) = objects(memory.growth(context(text)), "-object")
    (device,) = objects(memory.growth(context(text)))
    assert backend["size"] == 1536 * MIB and backend["reserve"] is False
    assert device["requested-size"] == 0 and device["memdev"] == backend["id"]


def test_growth_is_whole_blocks() -> None:
    assert memory.growth_bytes(context("domain: {memory: {guest: 128Mi, maxGuest: 131Mi}}")) == 2 * MIB
    assert not memory.hotplug(context("domain: {memory: {guest: 128Mi, maxGuest: 129Mi}}"))
    assert run(memory.node, "domain: {cpu: {maxSockets: 1}, memory: {guest: 1Gi, maxGuest: 2Gi}}") == [
        "-numa node,nodeid=0,cpus=0,memdev=pc.ram"
    ]
