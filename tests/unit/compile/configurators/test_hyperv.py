"""Enlightenments on KVM, and what becomes of them under emulation."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import hyperv
from solovirt.compile.render import pair
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context

ALL = (
    "relaxed: {}, vapic: {}, spinlocks: {spinlocks: 8191}, vpindex: {}, runtime: {}, synic: {},"
    " synictimer: {direct: {}}, reset: {}, vendorid: {vendorid: 'a,b'}, frequencies: {}, reenlightenment: {},"
    " tlbflush: {direct: {}, extended: {}}, ipi: {}, evmcs: {}"
)


def props(features: str, accel: str = "kvm", clock: str = "") -> list[str]:
    ctx = context(f"domain: {{features: {{{features}}}, clock: {{timer: {{{clock}}}}}}}", accel=accel)
    return [pair(prop) for prop in hyperv.properties(ctx)]


def test_in_libvirts_order() -> None:
    assert ",".join(props(f"hyperv: {{{ALL}}}")) == (
        "hv-time=on,hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,hv-runtime=on,hv-synic=on,hv-stimer=on,"
        "hv-stimer-direct=on,hv-reset=on,hv-vendor-id=a,,b,hv-frequencies=on,hv-reenlightenment=on,hv-tlbflush=on,"
        "hv-tlbflush-direct=on,hv-tlbflush-ext=on,hv-ipi=on,hv-evmcs=on"
    )


def test_every_field_of_the_api_has_one() -> None:
    from solovirt.api.kubevirt.spec.features import FeatureHyperv

    assert {field.encode_name for field in msgspec.structs.fields(FeatureHyperv)} == set(hyperv._ABOUT)


def test_emulation_takes_all_but_the_index() -> None:
    emulated = props(f"hyperv: {{{ALL}}}", "tcg")
    assert [one for one in emulated if one not in props(f"hyperv: {{{ALL}}}")] == ["hv-vpindex=off"]
    ctx = context("domain: {features: {hyperv: {ipi: {}}}}")
    assert all("emulation" in prop.why.text for prop in hyperv.properties(ctx))


def test_off() -> None:
    off = "relaxed: {enabled: false}, spinlocks: {enabled: false}, vendorid: {enabled: false, vendorid: x}"
    assert props(f"hyperv: {{{off}}}") == ["hv-relaxed=off", "hv-spinlocks=0xffffffff", "hv-vendor-id=Microsoft Hv"]
    assert props("hyperv: {tlbflush: {enabled: false, direct: {}}}") == ["hv-tlbflush=off", "hv-tlbflush-direct=off"]


def test_the_timers_need_a_time() -> None:
    assert props("hyperv: {synictimer: {}}") == ["hv-time=on", "hv-stimer=on"]
    assert props("", clock="hyperv: {}") == ["hv-time=on"]
    assert props("", clock="hyperv: {present: false}") == ["hv-time=off"]
    assert props("hyperv: {synictimer: {enabled: false}}", clock="hyperv: {present: false}")[0] == "hv-time=off"
    with pytest.raises(Invalid, match=r"requires 'domain\.clock\.timer\.hyperv', which was disabled"):
        props("hyperv: {synictimer: {}}", clock="hyperv: {present: false}")


def test_direct_flushes_need_the_apic_page() -> None:
    assert props("hyperv: {tlbflush: {direct: {}}}")[-1] == "hv-vapic=on"
    assert props("hyperv: {tlbflush: {direct: {enabled: false}}}") == ["hv-tlbflush=on", "hv-tlbflush-direct=off"]
    with pytest.raises(Invalid, match="which was disabled"):
        props("hyperv: {tlbflush: {direct: {}}, vapic: {enabled: false}}")


def test_passthrough() -> None:
    assert props("hypervPassthrough: {enabled: true}") == ["hv-passthrough=on"]
    assert props("hypervPassthrough: {}") == ["hv-passthrough=off"]
