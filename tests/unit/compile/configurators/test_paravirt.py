"""What KVM's guests are told, and emulation's are not."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import paravirt
from solovirt.compile.render import pair
from tests.unit.compile.helpers import context


def props(domain: str, accel: str = "kvm") -> list[str]:
    return [pair(prop) for prop in paravirt.properties(context(f"domain: {{{domain}}}", accel=accel))]


@pytest.mark.parametrize(
    ("domain", "kvm", "tcg"),
    [
        ("", [], []),
        ("clock: {timer: {kvm: {}}}", ["kvmclock=on"], ["kvmclock=off"]),
        ("clock: {timer: {kvm: {present: false}}}", ["kvmclock=off"], ["kvmclock=off"]),
        ("features: {apic: {}}", ["apic=on"], ["apic=on"]),
        ("features: {apic: {enabled: false}}", ["apic=on"], ["apic=on"]),
        ("features: {apic: {endOfInterrupt: true}}", ["apic=on", "kvm-pv-eoi=on"], ["apic=on", "kvm-pv-eoi=off"]),
        ("features: {pvspinlock: {}}", ["kvm-pv-unhalt=on"], ["kvm-pv-unhalt=off"]),
        ("features: {pvspinlock: {enabled: false}}", ["kvm-pv-unhalt=off"], ["kvm-pv-unhalt=off"]),
        ("features: {kvm: {hidden: true}}", ["kvm=off"], ["kvm=off"]),
        ("features: {kvm: {}}", ["kvm=on"], ["kvm=on"]),
        ("cpu: {dedicatedCpuPlacement: true}", ["kvm-hint-dedicated=on"], ["kvm-hint-dedicated=off"]),
        ("cpu: {realtime: {}}", ["pmu=off"], ["pmu=off"]),
        ("launchSecurity: {tdx: {}}", ["pmu=off"], ["pmu=off"]),
        ("devices: {panicDevices: [{model: hyperv}]}", ["hv-crash=on"], ["hv-crash=on"]),
    ],
)
def test_with_and_without_kvm(domain: str, kvm: list[str], tcg: list[str]) -> None:
    assert (props(domain), props(domain, "tcg")) == (kvm, tcg)


def test_each_key_once() -> None:
    assert props("cpu: {realtime: {}}, launchSecurity: {tdx: {}}") == ["pmu=off"]


def test_what_emulation_lacks_is_said() -> None:
    (prop,) = paravirt.properties(context("domain: {clock: {timer: {kvm: {}}}}"))
    assert prop.why.path == "domain.clock.timer.kvm" and "emulation has none" in prop.why.text
