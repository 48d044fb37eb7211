"""Golden command lines; the same input gives the same bytes; all errors at once."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.kubevirt.spec.sources import Network, PodNetwork
from solovirt.compile.plan import CONFIGURATORS, compile_machine
from solovirt.compile.render import argv
from solovirt.kit.errors import HostError, Invalid
from tests.golden import cases
from tests.support import specs
from tests.unit.compile.helpers import bindings_of, spec_of


@pytest.mark.parametrize("name", cases.names())
def test_golden(name: str) -> None:
    """After a change on purpose: tests/golden/update, and read the diff."""
    made = cases.files(name)
    assert {path.name for path in (cases.HERE / name).glob("*.txt")} == set(made)
    for file, text in made.items():
        assert text == (cases.HERE / name / file).read_text(), file


def test_the_goldens_are_many_and_most_compile_for_both_versions_of_qemu() -> None:
    both = [name for name in cases.names() if cases.facts_of(name) == (cases.USUAL, cases.NEWER)]
    assert len(both) >= 120


@pytest.mark.parametrize(("name", "known"), cases.pairs())
def test_pins_given_back_change_nothing(name: str, known: str) -> None:
    case = cases.load(name, known)
    first = case.machine()
    bindings = msgspec.structs.replace(case.bindings, pins=first.pins)
    second = compile_machine(case.spec, case.facts, bindings)
    assert argv(second) == argv(first)
    assert second.pins == first.pins


def test_compile_leaves_its_input_alone() -> None:
    case = cases.load("pci-address")
    before = copy.deepcopy((case.spec, case.bindings))
    case.machine()
    assert (case.spec, case.bindings) == before


@settings(max_examples=60, deadline=None)
@given(specs.defaulted())
def test_random_specs_compile_and_stay(spec: specs.Spec) -> None:
    bindings = cases.default_bindings("random", spec)
    first = compile_machine(spec, cases.host_facts(), bindings)
    second = compile_machine(spec, cases.host_facts(), msgspec.structs.replace(bindings, pins=first.pins))
    assert argv(second) == argv(first)


@settings(max_examples=60, deadline=None)
@given(specs.defaulted(), st.data())
def test_taking_a_disk_away_moves_nothing(spec: specs.Spec, data: st.DataObject) -> None:
    bindings = cases.default_bindings("random", spec)
    first = compile_machine(spec, cases.host_facts(), bindings).pins
    fewer = copy.deepcopy(spec)
    if fewer.volumes:
        gone = data.draw(st.sampled_from(fewer.volumes)).name
        fewer.volumes = [volume for volume in fewer.volumes if volume.name != gone]
        fewer.domain.devices.disks = [disk for disk in fewer.domain.devices.disks if disk.name != gone]
    facts = cases.host_facts()
    second = compile_machine(fewer, facts, msgspec.structs.replace(bindings, pins=first)).pins
    third = compile_machine(spec, facts, msgspec.structs.replace(bindings, pins=second)).pins
    for pins in (second, third):
        moved = {device for device, place in pins.pci.items() if first.pci.get(device, place) != place}
        assert moved <= {f"ua-{gone}" if fewer.volumes != spec.volumes else ""}


def test_all_errors_at_once_with_whole_paths() -> None:
    spec = spec_of("""
        domain:
          machine: {type: pc-q35-99.0}
          cpu: {model: Haswel, features: [{name: ae5}]}
          firmware: {uuid: nonsense}
          memory: {guest: lots}
          devices:
            disks:
              - {name: a, disk: {bus: ide}}
              - {name: b, disk: {bus: virtio}}
            interfaces:
              - {name: n, model: vmxnet3, masquerade: {}}
    """)
    with pytest.raises(Invalid) as caught:
        compile_machine(spec, cases.host_facts(), bindings_of(spec), prefix="spec.template.spec")
    assert {cause.field.removeprefix("spec.template.spec.domain.") for cause in caught.value.causes} >= {
        "machine.type", "cpu.model", "cpu.features[0].name", "firmware.uuid", "memory.guest",
        "devices.disks[0].name", "devices.disks[1].name",
        "devices.interfaces[0].name",
    }  # fmt: skip
    assert all(cause.message.startswith(cause.field + ": ") for cause in caught.value.causes)
    assert "did you mean" in caught.value.message


def test_a_layout_that_fails_does_not_hide_other_errors() -> None:
    disks = ", ".join(f"{{name: d{i}, disk: {{bus: sata}}}}" for i in range(7))
    volumes = ", ".join(f"{{name: d{i}, emptyDisk: {{capacity: 1Gi}}}}" for i in range(7))
    spec = spec_of(f"domain: {{cpu: {{model: x}}, devices: {{disks: [{disks}]}}}}\nvolumes: [{volumes}]")
    with pytest.raises(Invalid) as caught:
        compile_machine(spec, cases.host_facts(), bindings_of(spec))
    assert [cause.field for cause in caught.value.causes] == ["spec.domain.devices.disks[6]", "spec.domain.cpu.model"]


def test_newlines_are_refused_with_their_field() -> None:
    spec = spec_of('domain: {firmware: {serial: "a\\nb"}}')
    with pytest.raises(Invalid) as caught:
        compile_machine(spec, cases.host_facts(), bindings_of(spec))
    assert caught.value.causes[0].field == "spec.domain.firmware.serial"


def test_what_the_host_lacks_names_the_field() -> None:
    facts = cases.host_facts()
    bare = msgspec.structs.replace(facts, qemu=msgspec.structs.replace(facts.qemu, devices=frozenset()))
    with pytest.raises(HostError) as caught:
        compile_machine(spec_of(""), bare, bindings_of(spec_of("")))
    assert caught.value.reason == "DeviceMissing" and caught.value.hint


@pytest.mark.parametrize(
    ("nic", "field", "said"),
    [
        ("{name: a, model: igb, masquerade: {}}", "model", "QEMU 8.0 or newer has it"),
        ("{name: 'a b', masquerade: {}}", "name", "is not an id that QEMU takes"),
    ],
)
def test_what_qemu_does_not_take_names_the_field(nic: str, field: str, said: str) -> None:
    spec = spec_of(f"domain: {{devices: {{interfaces: [{nic}]}}}}")
    spec.networks = [Network(name=spec.domain.devices.interfaces[0].name, pod=PodNetwork())]
    with pytest.raises(Invalid, match=said) as caught:
        compile_machine(spec, cases.host_facts(), bindings_of(spec))
    assert {cause.field for cause in caught.value.causes} == {f"spec.domain.devices.interfaces[0].{field}"}


def test_architecture() -> None:
    spec = spec_of("architecture: arm64")
    with pytest.raises(Invalid, match='architecture "arm64"'):
        compile_machine(spec, cases.host_facts(), bindings_of(spec))


def test_every_configurator_runs_once() -> None:
    assert len(set(CONFIGURATORS)) == len(CONFIGURATORS)
