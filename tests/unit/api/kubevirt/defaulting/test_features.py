import msgspec
import pytest

from solovirt.api.kubevirt.defaulting.features import default_clock, default_features
from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.api.kubevirt.spec.instance import Domain


def domain(features: dict[str, object], **more: object) -> Domain:
    made = msgspec.convert({"features": features, **more}, Domain)
    default_features(made)
    return made


def plain(features: dict[str, object]) -> dict[str, object]:
    made = msgspec.to_builtins(domain(features).features)
    return {name: value for name, value in made.items() if value is not None and name != "acpi"}


def test_what_is_given_is_on() -> None:
    assert domain({}).features is not None
    made = plain({"smm": {}, "apic": {}, "pvspinlock": {"enabled": False}})
    assert made["smm"] == {"enabled": True} and made["pvspinlock"] == {"enabled": False}
    assert isinstance(made["apic"], dict) and made["apic"]["enabled"] is True


def hyperv(given: dict[str, object]) -> dict[str, object]:
    made = plain({"hyperv": given})["hyperv"]
    assert isinstance(made, dict)
    return {name: value for name, value in made.items() if value is not None}


def test_enlightenments() -> None:
    made = hyperv({"relaxed": {}, "spinlocks": {}, "synictimer": {"direct": {}}})
    assert made["relaxed"] == {"enabled": True}
    assert made["spinlocks"] == {"enabled": True, "spinlocks": 4096}
    assert made["synictimer"] == {"enabled": True, "direct": {"enabled": True}}
    assert hyperv({"spinlocks": {"enabled": False}})["spinlocks"] == {"enabled": False}


@pytest.mark.parametrize(
    ("asked", "added"),
    [
        ("ipi", {"vpindex"}),
        ("tlbflush", {"vpindex"}),
        ("evmcs", {"vapic"}),
        ("synictimer", {"synic", "vpindex"}),
        ("relaxed", set()),
    ],
)
def test_what_is_needed_comes_along(asked: str, added: set[str]) -> None:
    assert set(hyperv({asked: {}})) == {asked} | added


def test_what_is_off_stays_off() -> None:
    assert hyperv({"ipi": {}, "vpindex": {"enabled": False}})["vpindex"] == {"enabled": False}
    assert set(hyperv({"ipi": {"enabled": False}})) == {"ipi"}


def test_evmcs_needs_vmx() -> None:
    assert domain({"hyperv": {"evmcs": {"enabled": False}}}).cpu is None
    for given in ({}, {"cpu": {"features": [{"name": "vmx", "policy": "disable"}]}}, {"cpu": {"cores": 2}}):
        made = domain({"hyperv": {"evmcs": {}}}, **given)
        assert made.cpu is not None
        assert [(feature.name, feature.policy) for feature in made.cpu.features] == [("vmx", "require")]


def test_timers() -> None:
    default_clock(None)
    clock = msgspec.convert({"timer": {"hpet": {"present": False}, "rtc": {}, "hyperv": {}}}, Clock)
    default_clock(clock)
    timer = clock.timer
    assert timer is not None and timer.hpet is not None and timer.rtc is not None and timer.hyperv is not None
    assert (timer.hpet.present, timer.rtc.present, timer.hyperv.present, timer.kvm) == (False, True, True, None)
