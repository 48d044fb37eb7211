import pytest

from ...samples import only, spec_causes

H = "spec.domain.features.hyperv"


@pytest.mark.parametrize(
    ("feature", "needed"),
    [
        ("evmcs", "vapic"),
        ("ipi", "vpindex"),
        ("tlbflush", "vpindex"),
        ("synictimer", "synic"),
        ("synic", "vpindex"),
    ],
)
def test_what_is_needed_may_not_be_off(feature: str, needed: str) -> None:
    cause = only(spec_causes({"domain.features": {"hyperv": {feature: {}, needed: {"enabled": False}}}}))
    assert cause.field == f"{H}.{feature}"
    assert cause.message == f"'{H}.{feature}' requires '{H}.{needed}', which was disabled."


@pytest.mark.parametrize(
    ("domain", "field", "message"),
    [
        (
            {"features": {"hyperv": {}, "hypervPassthrough": {"enabled": True}}},
            "spec.domain.features.hypervPassthrough",
            "Please use either HyperV or HypervPassthrough.",
        ),
        (
            {"features": {"hyperv": {"spinlocks": {"spinlocks": 4094}}}},
            f"{H}.spinlocks.spinlocks",
            "must be a value greater or equal 4096",
        ),
        (
            {"features": {"hyperv": {"spinlocks": {"spinlocks": 2**32}}}},
            f"{H}.spinlocks.spinlocks",
            "at most 4294967295",
        ),
        ({"features": {"hyperv": {"vendorid": {"vendorid": "x" * 13}}}}, f"{H}.vendorid.vendorid", "no more than 12"),
        ({"features": {"hyperv": {"vendorid": {"vendorid": "\u00e9"}}}}, f"{H}.vendorid.vendorid", "ASCII"),
        ({"features": {"hyperv": {"vendorid": {"vendorid": "a\nb"}}}}, f"{H}.vendorid.vendorid", "control characters"),
        (
            {"features": {"hyperv": {"vendorid": {"vendorid": "a,kvm=off"}}}},
            f"{H}.vendorid.vendorid",
            "no way to write",
        ),
        ({"features": {"hyperv": {"vendorid": {}}}}, f"{H}.vendorid.vendorid", "Required value"),
        (
            {"features": {"hyperv": {"synictimer": {}}}, "clock": {"timer": {"hyperv": {"present": False}}}},
            f"{H}.synictimer",
            "requires 'spec.domain.clock.timer.hyperv', which was disabled.",
        ),
        (
            {"features": {"hyperv": {"tlbflush": {"direct": {}}, "vapic": {"enabled": False}}}},
            f"{H}.tlbflush.direct",
            "requires",
        ),
    ],
)
def test_each_problem_is_named(domain: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes({f"domain.{name}": value for name, value in domain.items()}))
    assert cause.field == field and message in cause.message


@pytest.mark.parametrize(
    "features",
    [
        {"hyperv": {"ipi": {"enabled": False}, "vpindex": {"enabled": False}}},
        {"hyperv": {"ipi": {}, "tlbflush": {}, "evmcs": {}, "synictimer": {}}},
        {"hyperv": {"spinlocks": {"spinlocks": 8191}, "vendorid": {"enabled": False}}},
        {"hypervPassthrough": {"enabled": True}},
        {"apic": {"endOfInterrupt": True}, "kvm": {"hidden": True}, "pvspinlock": {"enabled": False}, "smm": {}},
    ],
)
def test_good_ones(features: dict[str, object]) -> None:
    assert spec_causes({"domain.features": features}) == []
