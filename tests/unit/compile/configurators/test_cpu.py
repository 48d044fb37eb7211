"""Models and features, with and without KVM."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import cpu
from solovirt.host.model.facts import CPUModel, HostFacts, HostModel
from solovirt.kit.errors import HostError, Invalid
from tests.golden.cases import Host, host_facts
from tests.unit.compile.helpers import context, run


def model(name: str, accel: str = "tcg") -> str:
    return run(cpu.options, f"domain: {{cpu: {{model: '{name}'}}}}", accel=accel)[0]


def features(text: str, accel: str = "tcg", facts: HostFacts | None = None) -> str:
    (line,) = run(cpu.options, f"domain: {{cpu: {{features: [{text}]}}}}", accel=accel, facts=facts)
    return line.partition(",")[2]


def kvm(features: dict[str, bool], *models: CPUModel) -> HostFacts:
    facts = host_facts(Host(accel="kvm"))
    return msgspec.structs.replace(
        facts, qemu=msgspec.structs.replace(facts.qemu, cpu_features=features, cpu_models=models)
    )


@pytest.mark.parametrize("name", ["", "host-model", "host-passthrough"])
def test_the_hosts_model(name: str) -> None:
    assert model(name, "kvm") == "-cpu host,migratable=on"
    assert model(name, "tcg") == "-cpu max"


def test_no_cpu_block() -> None:
    assert run(cpu.options) == ["-cpu max"]


def test_named_models_lose_mpx() -> None:
    assert model("Haswell-noTSX", "kvm") == "-cpu Haswell-noTSX,mpx=off"
    assert model("Haswell-noTSX", "tcg") == "-cpu Haswell-noTSX,mpx=off"


def test_under_emulation_missing_features_are_noted() -> None:
    (option,) = cpu.options(context("domain: {cpu: {model: Haswell-noTSX}}"))
    assert "emulation leaves out" in option.why.text and "invpcid" in option.why.text


def test_under_kvm_missing_features_are_an_error() -> None:
    with pytest.raises(HostError, match="lacks avx2") as caught:
        run(cpu.options, "domain: {cpu: {model: A}}", facts=kvm({}, CPUModel("A", ("avx2",))))
    assert caught.value.field == cpu.PATH


def test_unknown_models() -> None:
    with pytest.raises(Invalid, match='did you mean "Haswell-noTSX"'):
        model("haswell-notsx2")
    with pytest.raises(Invalid, match="no CPU model"):
        model("max,+vmx")
    with pytest.raises(Invalid, match="needs KVM"):
        model("host")


def test_policies() -> None:
    text = "{name: aes}, {name: avx, policy: force}, {name: avx2, policy: disable}, {name: sse4.1, policy: forbid}"
    assert features(text) == "aes=on,avx=on,avx2=off,sse4.1=off"
    assert features("{name: aes, policy: optional}, {name: vmx, policy: optional}") == "aes=on,vmx=off"


def test_mpx_of_the_manifest_beats_the_default() -> None:
    text = "domain: {cpu: {model: Haswell-noTSX, features: [{name: mpx}]}}"
    assert run(cpu.options, text) == ["-cpu Haswell-noTSX,mpx=on"]


def test_conditions_on_the_hosts_cpu() -> None:
    facts = kvm({"aes": True, "vmx": False}, CPUModel("host"))
    assert features("{name: aes, policy: require}", facts=facts) == "migratable=on,aes=on"
    assert features("{name: vmx, policy: forbid}", facts=facts) == "migratable=on,vmx=off"
    assert features("{name: vmx, policy: force}", facts=facts) == "migratable=on,vmx=on"
    with pytest.raises(HostError, match='lacks feature "vmx"'):
        features("{name: vmx}", facts=facts)
    with pytest.raises(HostError, match='forbidden feature "aes"'):
        features("{name: aes, policy: forbid}", facts=facts)


def test_without_known_features_nobody_judges() -> None:
    assert features("{name: anything}", facts=kvm({}, CPUModel("host"))) == "migratable=on,anything=on"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: 'a=b'}", "is not the name of a CPU feature"),
        ("{name: 'aes,kvm=off'}", "is not the name of a CPU feature"),
        ("{name: aess}", 'did you mean "aes"'),
        ("{name: aes, policy: maybe}", 'policy "maybe" is unknown'),
        ("{name: aes}, {name: aes}", "is given twice"),
    ],
)
def test_wrong_features(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        features(text)


def test_a_wrong_model_does_not_hide_a_wrong_feature() -> None:
    with pytest.raises(Invalid) as caught:
        run(cpu.options, "domain: {cpu: {model: x, features: [{name: 'a b'}]}}")
    assert [cause.field for cause in caught.value.causes] == ["domain.cpu.features[0].name", "domain.cpu.model"]


def test_the_nearest_named_model_where_it_is_known() -> None:
    known = HostModel("Cascadelake-Server", {"ss": True, "hle": False})
    facts = msgspec.structs.replace(host_facts(Host(accel="kvm")), host_model=known)
    assert run(cpu.options, facts=facts) == ["-cpu Cascadelake-Server,ss=on,hle=off"]
    assert features("{name: hle, policy: force}", facts=facts) == "ss=on,hle=on"
    passthrough = run(cpu.options, "domain: {cpu: {model: host-passthrough}}", facts=facts)
    assert passthrough == ["-cpu host,migratable=on"]
    emulated = msgspec.structs.replace(facts, accel="tcg")
    assert run(cpu.options, facts=emulated) == ["-cpu max"]


def test_the_manifests_own_features_beat_what_follows_from_others() -> None:
    text = "domain: {cpu: {features: [{name: pmu, policy: force}], realtime: {}}}"
    assert run(cpu.options, text, facts=kvm({}, CPUModel("host"))) == ["-cpu host,migratable=on,pmu=on"]
