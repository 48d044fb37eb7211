from __future__ import annotations

from itertools import islice

import pytest

from solovirt.api.cdi.datavolume import BlankSource, DataVolumeImport, DataVolumeSpec
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.sources import (
    ClaimSource,
    CloudInitSource,
    ConfigMapSource,
    DataVolumeSource,
    LocalObjectReference,
    SecretSource,
    SysprepSource,
    Volume,
)
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate
from solovirt.api.meta import ObjectMeta
from solovirt.api.pool.virtualmachinepool import NameGeneration, VirtualMachinePool
from solovirt.controllers.replicas import stamp
from solovirt.kit.json import clone, decode_object, encode
from tests.unit.controllers.replicas.world import pool


def test_names_leave_no_hole() -> None:
    assert list(islice(stamp.names("web", {"web-0", "web-2"}), 3)) == ["web-1", "web-3", "web-4"]


@pytest.mark.parametrize(("name", "index"), [("web-0", 0), ("a-1-12", 12), ("web", 0), ("web-x", 0), ("web-²", 0)])
def test_index_of(name: str, index: int) -> None:
    assert stamp.index_of(name) == index


def test_a_revision_is_of_the_template_alone() -> None:
    made = pool()
    first = stamp.revision_of(made)
    made.spec.replicas, made.spec.paused, made.metadata.generation = 9, True, 7
    assert stamp.revision_of(made) == first
    made.spec.name_generation = NameGeneration(append_index_to_secret_refs=True)
    second = stamp.revision_of(made)
    made.spec.virtual_machine_template.spec.template.spec.hostname = "other"
    assert len({first, second, stamp.revision_of(made)}) == 3
    assert first.startswith("web-")
    made.metadata.name = "n" * 63
    assert len(stamp.revision_of(made)) <= 63


def test_a_revision_does_not_depend_on_the_order_of_keys() -> None:
    made, other = pool(), pool()
    made.spec.virtual_machine_template.metadata.labels = {"a": "1", "b": "2"}
    other.spec.virtual_machine_template.metadata.labels = {"b": "2", "a": "1"}
    assert stamp.revision_of(made) == stamp.revision_of(other)


def ref(name: str) -> LocalObjectReference:
    return LocalObjectReference(name=name)


def full() -> VirtualMachinePool:
    made = pool()
    spec = made.spec.virtual_machine_template.spec
    blank = DataVolumeSpec(source=DataVolumeImport(blank=BlankSource()))
    spec.data_volume_templates = [DataVolumeTemplate(metadata=ObjectMeta(name="own"), spec=blank)]
    spec.template.spec.volumes = [
        Volume(name="a", data_volume=DataVolumeSource(name="own")),
        Volume(name="b", persistent_volume_claim=ClaimSource(claim_name="own")),
        Volume(name="c", persistent_volume_claim=ClaimSource(claim_name="shared")),
        Volume(name="d", config_map=ConfigMapSource(name="map")),
        Volume(name="e", secret=SecretSource(secret_name="secret")),
        Volume(name="f", cloud_init_no_cloud=CloudInitSource(secret_ref=ref("u"), network_data_secret_ref=ref("n"))),
        Volume(name="g", cloud_init_config_drive=CloudInitSource(secret_ref=ref("drive"))),
        Volume(name="h", sysprep=SysprepSource(config_map=ref("unattend"))),
        Volume(name="i", sysprep=SysprepSource(secret=ref("hidden"))),
    ]
    return made


def references(made: VirtualMachinePool) -> str:
    before = encode(made)
    text = encode(stamp.make_machine(made, "web-7").spec).decode()
    assert encode(made) == before, "the pool itself stays as it is"
    assert decode_object(text)
    return text


def test_own_disks_carry_the_index_and_others_do_not() -> None:
    text = references(full())
    for wanted in ('"name":"own-7"', '"claimName":"own-7"', '"claimName":"shared"', '"name":"map"'):
        assert wanted in text
    assert stamp.make_machine(full(), "web-7").spec.data_volume_templates[0].metadata.name == "own-7"


def test_names_of_maps_and_secrets_carry_it_when_asked() -> None:
    made = full()
    made.spec.name_generation = NameGeneration(append_index_to_config_map_refs=True)
    text = references(made)
    assert '"name":"map-7"' in text and '"name":"unattend-7"' in text
    assert '"secretName":"secret"' in text and '"name":"hidden"' in text
    made.spec.name_generation = NameGeneration(append_index_to_secret_refs=True)
    text = references(made)
    for wanted in ('"secretName":"secret-7"', '"name":"hidden-7"', '"name":"u-7"', '"name":"n-7"', '"name":"drive-7"'):
        assert wanted in text
    assert '"name":"map"' in text and '"name":"unattend"' in text


def test_an_update_keeps_the_identity() -> None:
    made = pool()
    machine = stamp.make_machine(made, "web-0")
    machine.spec.template.spec.domain.firmware = Firmware(uuid="u", serial="s")
    later = clone(made)
    later.spec.virtual_machine_template.spec.template.spec.hostname = "new"
    stamp.update_machine(later, machine)
    assert machine.spec.template.spec.hostname == "new"
    assert machine.spec.template.spec.domain.firmware == Firmware(uuid="u", serial="s")
    assert machine.metadata.labels[stamp.REVISION] == stamp.revision_of(later)
