"""The concrete machine type: asked for, pinned, or the newest."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import machine
from solovirt.host.model.bindings import Pins
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import context, run


def resolved(asked: str, pinned: str = "") -> tuple[str, str]:
    ctx = context(f"domain: {{machine: {{type: '{asked}'}}}}", pins=Pins(machine=pinned))
    found, why = machine.resolve(ctx)
    return found.name, why.kind


def test_switches() -> None:
    assert run(machine.options) == [
        "-machine pc-q35-7.2,usb=off,dump-guest-core=off,vmport=off,memory-backend=pc.ram,acpi=on"
    ]


def test_memory_that_grows_belongs_to_a_numa_node() -> None:
    (line,) = run(machine.options, "domain: {memory: {guest: 1Gi, maxGuest: 2Gi}}")
    assert "memory-backend" not in line


@pytest.mark.parametrize(("enabled", "word"), [("true", "acpi=on"), ("false", "acpi=off")])
def test_acpi(enabled: str, word: str) -> None:
    (line,) = run(machine.options, f"domain: {{features: {{acpi: {{enabled: {enabled}}}}}}}")
    assert line.endswith(word)


def test_the_alias_is_the_newest_at_first_and_the_pinned_later() -> None:
    assert resolved("q35") == ("pc-q35-7.2", "host")
    assert resolved("") == ("pc-q35-7.2", "host")
    assert resolved("q35", "pc-q35-7.0") == ("pc-q35-7.0", "default")


def test_an_exact_type_beats_the_pin() -> None:
    assert resolved("pc-q35-6.2", "pc-q35-7.0") == ("pc-q35-6.2", "manifest")


def test_a_type_of_red_hats_qemu_means_the_newest_and_stays() -> None:
    assert resolved("pc-q35-rhel9.4.0") == ("pc-q35-7.2", "host")
    assert resolved("pc-q35-rhel9.4.0", "pc-q35-7.0") == ("pc-q35-7.0", "default")
    _, why = machine.resolve(context("domain: {machine: {type: pc-q35-rhel9.4.0}}"))
    assert "pc-q35-rhel9.4.0 is a type of Red Hat's QEMU alone" in why.text


def test_a_pinned_type_that_is_gone() -> None:
    with pytest.raises(HostError) as caught:
        resolved("q35", "pc-q35-99.0")
    assert caught.value.reason == "MachineTypeMissing" and caught.value.field == machine.PATH


def test_types_that_are_not_there() -> None:
    with pytest.raises(Invalid, match=r"did you mean .pc-q35-7\.2"):
        resolved("pc-q35-7.22")
    for other in ("pc", "microvm", "pc-i440fx-7.2", "q35,accel=kvm"):
        with pytest.raises(Invalid, match="is not supported"):
            resolved(other)


@pytest.mark.parametrize(
    ("domain", "word"),
    [
        ("features: {smm: {}}", "smm=on"),
        ("features: {smm: {enabled: false}}", "smm=off"),
        ("clock: {timer: {hpet: {}}}", "hpet=on"),
        ("clock: {timer: {hpet: {present: false}}}", "hpet=off"),
        ("clock: {timer: {pit: {present: false}}}", "pit=off"),
        ("cpu: {realtime: {}}", "mem-merge=off"),
    ],
)
def test_switches_that_the_manifest_asks_for(domain: str, word: str) -> None:
    key = word.partition("=")[0] + "="
    assert word in run(machine.options, f"domain: {{{domain}}}")[0].split(",")
    assert key not in run(machine.options)[0]


@pytest.mark.parametrize(("value", "there"), [("true", True), ("false", False)])
def test_no_window_above_4_gib(value: str, there: bool) -> None:
    ctx = context()
    bound = msgspec.structs.replace(ctx.bindings, annotations={machine.NO_HOLE: value})
    found = list(machine.bridge(type(ctx)(ctx.spec, ctx.facts, bound)))
    assert [option.flag for option in found] == (["-global"] if there else [])
