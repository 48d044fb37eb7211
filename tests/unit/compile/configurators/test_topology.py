"""vCPUs and the room for more."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import topology
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, run


def smp(text: str, accel: str = "tcg") -> str:
    return run(topology.options, f"domain: {{cpu: {{{text}}}}}", accel=accel)[0].removeprefix("-smp ")


def test_one_by_default() -> None:
    assert run(topology.options) == ["-smp cpus=1,maxcpus=4,sockets=4,dies=1,cores=1,threads=1"]


def test_product() -> None:
    assert smp("sockets: 2, cores: 3, threads: 2") == "cpus=12,maxcpus=48,sockets=8,dies=1,cores=3,threads=2"


def test_max_sockets() -> None:
    assert smp("sockets: 2, maxSockets: 2") == "cpus=2,maxcpus=2,sockets=2,dies=1,cores=1,threads=1"
    assert smp("maxSockets: 200") == "cpus=1,maxcpus=200,sockets=200,dies=1,cores=1,threads=1"


def test_usual_headroom_is_cut_to_what_the_machine_holds() -> None:
    found = topology.resolve(context("domain: {cpu: {sockets: 100, maxSockets: 400}}"))
    assert (found.max_vcpus, found.why_max.kind) == (255, "host")
    assert topology.resolve(context("domain: {cpu: {sockets: 1, cores: 200}}")).max_vcpus == 200


def test_apic_ids_take_whole_bits() -> None:
    """Five cores take three bits: 31 sockets have ids up to 244, 32 sockets would reach 252; 33 need more than 255."""
    assert topology.resolve(context("domain: {cpu: {sockets: 20, cores: 5}}")).max_sockets == 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sockets: 0", "must be at least 1"),
        ("cores: -1", "must be at least 1"),
        ("sockets: 3, maxSockets: 2", "must not be less than sockets"),
        ("maxSockets: 300", "300 vCPUs are more than pc-q35-7.2 can have"),
        ("sockets: 300", r"300 vCPUs are more than pc-q35-7.2 can have \(288\)"),
        ("sockets: 64, cores: 3, threads: 1", None),
        ("sockets: 65, cores: 3, threads: 1", "need KVM"),
    ],
)
def test_limits(text: str, said: str | None) -> None:
    if said is None:
        assert smp(text)
        return
    with pytest.raises(Invalid, match=said):
        smp(text)


def test_more_ids_with_kvm() -> None:
    assert smp("sockets: 65, cores: 3", "kvm").startswith("cpus=195,maxcpus=195,")
