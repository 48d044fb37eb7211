import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.decode import decode
from solovirt.api.registry import ALL, CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, VIRTUAL_MACHINES
from solovirt.kit import yaml
from solovirt.kit.errors import BadRequest, Invalid
from solovirt.kit.json import Json, to_json

from .samples import VM, changed, vm

DEVICES = "spec.template.spec.domain.devices"


def test_objects_survive_the_way_out_and_in() -> None:
    obj = vm({"metadata.labels": {"a": "b"}, "status.printableStatus": "Running"})
    VIRTUAL_MACHINES.default(obj)
    assert decode(VIRTUAL_MACHINES, to_json(obj)).object == obj


def test_null_is_absent() -> None:
    obj = decode(
        VIRTUAL_MACHINES, changed(VM, {"spec.running": None, "metadata.labels": None, "spec.x": 1}), mode="Warn"
    )
    assert obj.object.spec.running is None and obj.object.metadata.labels == {}


def test_unknown_fields_by_mode() -> None:
    value = changed(VM, {"spec.runing": True, f"{DEVICES}.disks[0].zzz": 1})
    expected = [
        'unknown field "spec.template.spec.domain.devices.disks[0].zzz"',
        'unknown field "spec.runing", did you mean "spec.running"?',
    ]
    with pytest.raises(BadRequest) as caught:
        decode(VIRTUAL_MACHINES, value)
    assert str(caught.value) == "strict decoding error: " + ", ".join(expected)
    assert {cause.field for cause in caught.value.causes} == {"spec.runing", f"{DEVICES}.disks[0].zzz"}
    warned = decode(VIRTUAL_MACHINES, value, mode="Warn")
    assert warned.warnings == expected
    assert warned.object == vm()
    assert decode(VIRTUAL_MACHINES, value, mode="Ignore").warnings == []


DATA = "spec.dataVolumeTemplates[0].spec"


@pytest.mark.parametrize("mode", ["Strict", "Warn", "Ignore"])
def test_fields_that_kubevirt_knows_are_refused_by_name_in_every_mode(mode: str) -> None:
    volume = {"metadata": {"name": "v"}, "spec": {"storage": {"selector": {}, "dataSource": {}}}}
    value = changed(VM, {"spec.dataVolumeTemplates": [volume]})
    with pytest.raises(Invalid) as caught:
        decode(VIRTUAL_MACHINES, value, mode=mode)
    assert [(c.reason, c.field, c.message) for c in caught.value.causes][:2] == [
        ("FieldValueNotSupported", field, f"{field}: known to KubeVirt, not supported yet")
        for field in (f"{DATA}.storage.selector", f"{DATA}.storage.dataSource")
    ]
    assert f"{DATA}.storage.selector: known to KubeVirt, not supported yet" in str(caught.value)


def test_all_errors_at_once_with_their_places() -> None:
    text = (
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: 7\nspec:\n  running: 'yes'\n"
        "  runStrategi: Always\n  template:\n    spec:\n      domain:\n        cpu: {cores: two}\n"
        "        devices:\n          watchdog: {}\n          disks:\n          - {disk: {}}\n"
    )
    [document] = yaml.load_all(text, source="vm.yaml")
    with pytest.raises(BadRequest) as caught:
        decode(VIRTUAL_MACHINES, document.value, lines=document.lines)
    assert str(caught.value).splitlines() == [
        "vm.yaml:4:3: metadata.name: expected a string, got the number 7",
        'vm.yaml:6:3: spec.running: expected true or false, got the string "yes"',
        'vm.yaml:7:3: unknown field "spec.runStrategi", did you mean "spec.runStrategy"?',
        'vm.yaml:11:15: spec.template.spec.domain.cpu.cores: expected an integer, got the string "two"',
        f"vm.yaml:13:11: {DEVICES}.watchdog.name: Required value",
        f"vm.yaml:15:13: {DEVICES}.disks[0].name: Required value",
    ]
    assert len(caught.value.causes) == 6


def test_missing_fields_are_invalid() -> None:
    with pytest.raises(Invalid, match=r"spec\.template: Required value"):
        decode(VIRTUAL_MACHINES, {"spec": {}})
    with pytest.raises(Invalid, match=r"^spec: Required value$"):
        decode(VIRTUAL_MACHINES, {})


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_what_is_no_object(value: Json) -> None:
    with pytest.raises(BadRequest, match="expected an object of kind VirtualMachine"):
        decode(VIRTUAL_MACHINES, value)


def test_another_kind_is_refused_and_none_is_filled_in() -> None:
    with pytest.raises(BadRequest, match=r"the kind in the data \(Pod\) does not match the expected one"):
        decode(CONFIG_MAPS, {"kind": "Pod"})
    with pytest.raises(BadRequest, match="the apiVersion in the data"):
        decode(CONFIG_MAPS, {"apiVersion": "v2"})
    found = decode(CONFIG_MAPS, {"data": {"a": "b"}}).object
    assert (found.api_version, found.kind) == ("v1", "ConfigMap")


def test_unknown_status_fields_of_an_exported_object_are_dropped() -> None:
    value = changed(VM, {"status": {"printableStatus": "Running", "volumeSnapshotStatuses": [{"name": "a"}]}})
    assert decode(VIRTUAL_MACHINES, value).object.status.printable_status == "Running"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["spec", "metadata", "data", "name", "x"]), x),
    max_leaves=10,
)


@given(st.sampled_from(ALL), ANYTHING, st.sampled_from(["Strict", "Warn", "Ignore"]))
@settings(max_examples=200, deadline=None)
def test_any_json_decodes_or_is_refused(kind: object, value: Json, mode: str) -> None:
    try:
        decoded = decode(kind, value, mode=mode)
    except (BadRequest, Invalid) as error:
        assert error.message
    else:
        assert decode(kind, to_json(decoded.object)).object == decoded.object


def test_validation_of_the_rest_is_told_with_what_cannot_be_decoded() -> None:
    value = {
        "metadata": {"name": "Bad_Name"},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumMode": "x", "resources": {"requests": {"storage": "lots"}}},
    }
    with pytest.raises(BadRequest) as caught:
        decode(PERSISTENT_VOLUME_CLAIMS, value)
    fields = {cause.field for cause in caught.value.causes}
    assert {"spec.volumMode", "metadata.name", "spec.resources.requests.storage"} <= fields


def test_templates_keep_their_metadata_loose() -> None:
    """Kubernetes does not look at what it is; in an object's own metadata it does."""
    value = changed(VM, {"spec.template.metadata.app": "web"})
    decoded = decode(VIRTUAL_MACHINES, value)
    assert decoded.warnings == ['unknown field "spec.template.metadata.app"']
    assert decode(VIRTUAL_MACHINES, value, mode="Ignore").warnings == []
    with pytest.raises(BadRequest, match=r'unknown field "metadata\.app"'):
        decode(VIRTUAL_MACHINES, changed(VM, {"metadata.app": "web"}))
